"""The frames whose bytes are pinned. `python -m tests.golden.frames` writes the files anew.

A file that changes means that trainers and workers of two versions no longer understand each other:
raise `wire.VERSION`, keep the old files' tests failing with a clear error, and say so in
docs/wire-format.md.
"""

from pathlib import Path

import numpy as np

from trainer_hooks.wire import Frame, encode

HERE = Path(__file__).parent


def golden_frames() -> dict[str, Frame]:
    """By file name: one frame of each kind, with everything that a kind can hold."""
    weights = Frame(
        "weights",
        {
            "run": "mode % collapse: 崩溃",
            "segment": "0123456789ab",
            "networks": [
                {
                    "name": "G",
                    "index": 0,
                    "form": "full",
                    "seed": 0,
                    "tensors": [["main.0.weight", 3, 3], ["main.0.bias", 1, 1]],
                },
                {
                    "name": "D",
                    "index": 1,
                    "form": "sketch",
                    "seed": 0,
                    "tensors": [["w", 1000, 2], ["b", 2, 2]],
                },
            ],
            "scalars": ["loss.G", "scalar.Q"],
            "failures": [{"metric": "S.E", "row": 1, "reason": "no floating-point weights"}],
        },
        {
            "row.seq": np.array([7, 8], np.int64),
            "row.step": np.array([700, 800], np.int64),
            "row.epoch": np.array([1.5, np.nan]),
            "row.time": np.array([1795300000.25, 1795300001.5]),
            "network.0.snapshots": np.array(
                [[0.5, -1.25, 3.0, 0.0], [0.5, -1.0, 3.0, 1e-3]], np.float32
            ),
            "network.0.pairs": np.array([[0, 1, 1, 0, 100]], np.int64),
            "network.1.snapshots": np.array([[1, 2, 3, 4], [5, 6, 7, 8]], np.float32),
            "network.1.pairs": np.array([[0, 1, 1, 0, 100], [0, 1, 1, 1, 100]], np.int64),
            "scalar.0.row": np.array([0, 1], np.int64),
            "scalar.0.value": np.array([0.25, -np.inf]),
            "scalar.1.row": np.array([1], np.int64),
            "scalar.1.value": np.array([0.5]),
        },
    )
    shard = Frame(
        "weights",
        {
            "run": "faces",
            "segment": "0123456789ab.1",
            "networks": [
                {
                    "name": "G",
                    "index": 0,
                    "form": "full",
                    "seed": 0,
                    "tensors": [["w", 2, 2]],
                    "shard": [1, 4],
                }
            ],
            "scalars": [],
            "failures": [],
        },
        {
            "row.seq": np.array([0, 1], np.int64),
            "row.step": np.array([700, 800], np.int64),
            "row.epoch": np.array([1.0, 2.0]),
            "row.time": np.array([1795300000.25, 1795300001.5]),
            "network.0.snapshots": np.array([[0.5, -1.25], [0.5, -1.0]], np.float32),
            "network.0.pairs": np.array([[0, 1, 1, 0, 100]], np.int64),
            "network.0.calls": np.array([8], np.int64),
        },
    )
    header = {"run": "faces", "segment": "0123456789ab", "step": 600, "time": 1795300000.25}
    images = Frame(
        "samples",
        {
            **header,
            "seq": 3,
            "epoch": 12.5,
            "part": 0,
            "last": False,
            "nonfinite": 0,
            "clipped": 2,
            "failure": "",
        },
        {"samples": np.arange(2 * 3 * 2 * 2, dtype=np.uint8).reshape(2, 3, 2, 2)},
    )
    end = Frame(
        "samples",
        {
            **header,
            "seq": 3,
            "epoch": None,
            "part": 1,
            "last": True,
            "nonfinite": 0,
            "clipped": 0,
            "failure": "the sample callable raised RuntimeError",
        },
        {"samples": np.zeros((0, 1, 1, 1), np.uint8)},
    )
    return {"weights": weights, "weights-shard": shard, "samples": images, "samples-end": end}


def path_of(name: str) -> Path:
    """Where a golden frame lies."""
    return HERE / f"{name}.frame"


if __name__ == "__main__":
    for golden_name, golden_frame in golden_frames().items():
        path_of(golden_name).write_bytes(encode(golden_frame))
