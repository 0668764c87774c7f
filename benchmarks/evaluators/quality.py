"""Q: the batched cascade beside facenet-pytorch's `detect`, on the same pictures."""

from typing import Any

import numpy as np
from facenet_pytorch import MTCNN
from numpy.typing import NDArray

from benchmarks.evaluators.pictures import pictures
from benchmarks.evaluators.timing import Row, compare
from monitor.quality import FaceQuality
from monitor.quality.precision import whole_floats

#: Pictures of one call of facenet-pytorch, the faster of 32 and 256 on either device: larger ones
#: gain nothing, and 32,767 candidates in one call overflow its int16 index.
PEER_CALL = {"cpu": 32, "cuda": 256}


def quality_rows(count: int, side: int, rounds: int, device: str) -> list[Row]:
    """Seconds of each, images a second, and how far their scores are apart."""
    batch = pictures(count, side)
    ours, peer = FaceQuality(device), MTCNN(keep_all=True, device=device)
    size = PEER_CALL[device.split(":")[0]]

    def theirs() -> NDArray[np.float32]:
        # On a GPU as ours: in TF32 it would be faster, and its scores others.
        with whole_floats(device):
            calls = [peer.detect(batch[i : i + size])[1] for i in range(0, count, size)]
        return np.array([_highest(found) for call in calls for found in call], np.float32)

    ways = {"facenet-pytorch detect()": theirs, "Q: our cascade": lambda: ours.score(batch)}
    rows = compare(ways, rounds, device)
    apart = float(np.abs(theirs() - ours.score(batch)).max())
    return [
        {**row, "side": side, "per_second": count / row["seconds"], "largest_difference": apart}
        for row in rows
    ]


def _highest(found: Any) -> float:
    """Of one image's faces; 0 without one."""
    return max((float(p) for p in found if p is not None), default=0.0)
