"""D: our embedding beside the bare onnxruntime session, and the search of the nearest mode."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from onnxruntime import InferenceSession, SessionOptions

from benchmarks.evaluators.pictures import pictures
from benchmarks.evaluators.timing import Row, compare, seconds
from monitor.diversity import nearest_mode
from monitor.diversity.alignment import CROP_SIZE, align
from monitor.diversity.embedder import Embedder
from monitor.diversity.session import CUDA
from monitor.quality import FaceQuality

#: Crops of one run of the bare session; the best counts.
BARE_BATCHES = (1, 16, 64, 256)

Floats = NDArray[np.float32]


def embedding_rows(
    embedder: Embedder, path: Path, count: int, rounds: int, device: str
) -> list[Row]:
    """Ours from uint8 crops, beside the bare session from float32 that is ready for it."""
    crops = pictures(count, CROP_SIZE)
    ready = np.ascontiguousarray((crops.transpose(0, 3, 1, 2) - np.float32(127.5)) / 127.5)
    session = _bare(path, embedder.provider)
    name = session.get_inputs()[0].name

    def bare(size: int) -> None:
        for start in range(0, count, size):
            session.run(None, {name: ready[start : start + size]})

    # As the worker does: aligned crops are on the GPU already.
    given = crops if device == "cpu" else torch.from_numpy(crops).to(device)
    sizes = [size for size in BARE_BATCHES if size <= count]
    best = min(sizes, key=lambda size: (bare(size), seconds(lambda: bare(size), device))[1])
    ways = {
        f"bare onnxruntime session, {best} a run": lambda: bare(best),
        "D: our embedding": lambda: embedder.embed(given),
    }
    rows = compare(ways, rounds, device)
    per = {"embedder": embedder.name, "provider": embedder.provider}
    return [{**row, **per, "per_second": count / row["seconds"]} for row in rows]


def alignment_rows(count: int, side: int, rounds: int, device: str) -> list[Row]:
    """Five-point alignment of faces that are already found."""
    batch = pictures(count, side)
    landmarks = FaceQuality(device).detect(batch).landmarks
    rows = compare({"D: alignment": lambda: align(batch, landmarks, device)}, rounds, device)
    return [{**row, "per_second": count / row["seconds"]} for row in rows]


def nearest_rows(samples: int, modes: int, length: int, rounds: int, device: str) -> list[Row]:
    """The nearest of m modes, beside the obvious ways; how many answers differ from float64's."""
    features, centroids = _unit(samples, length, 1), _unit(modes, length, 2)
    on_device = torch.from_numpy(features).to(device), torch.from_numpy(centroids).to(device)

    def by_float64() -> NDArray[np.int64]:
        rows, targets = features.astype(np.float64), centroids.astype(np.float64)
        return (np.square(targets).sum(axis=1) - 2 * rows @ targets.T).argmin(axis=1)

    ways = {
        "D: nearest mode": lambda: nearest_mode(features, centroids, device),
        "torch.cdist float32, argmin": lambda: torch.cdist(*on_device).argmin(dim=1).cpu().numpy(),
        "NumPy float64 on the CPU": by_float64,
    }
    exact = by_float64()
    size = {"samples": samples, "modes": modes, "length": length}
    operations = 2 * samples * modes * length
    return [
        {
            **row,
            **size,
            "differ": int((np.asarray(ways[row["name"]]()) != exact).sum()),
            "operations_per_second": operations / row["seconds"],
        }
        for row in compare(ways, rounds, device)
    ]


def _bare(path: Path, provider: str) -> InferenceSession:
    options = SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    # As ours: in TF32 it would be faster, and its features others.
    asked = [(CUDA, {"use_tf32": 0})] if provider == CUDA else [provider]
    return InferenceSession(str(path), options, providers=asked)


def _unit(count: int, length: int, seed: int) -> Floats:
    rows = np.random.default_rng(seed).standard_normal((count, length), np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)
