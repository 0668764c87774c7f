"""One point of Q and D, from images to numbers, beside one point of FID."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import interpolate
from torchmetrics.image.fid import FrechetInceptionDistance

from benchmarks.evaluators.networks import inception
from benchmarks.evaluators.pictures import pictures
from benchmarks.evaluators.timing import Row, compare
from monitor.diversity import chao_wang_jost_entropy, james_stein_entropy, nearest_mode
from monitor.diversity.alignment import align
from monitor.diversity.embedder import Embedder
from monitor.quality import FaceQuality

#: Side of Inception's input in pixels, and images of one run of it.
INCEPTION_SIDE, INCEPTION_BATCH = 299, 50

Images = NDArray[np.uint8]
Floats = NDArray[np.float64]


def whole_rows(
    embedders: Sequence[Embedder],
    modes: int,
    counts: Sequence[int],
    fid_counts: Sequence[int],
    dimensions: int,
    rounds: int,
    device: str,
) -> list[Row]:
    """Cost of a point against the samples it takes.

    Args:
        embedders: of D, each once.
        modes: centroids that samples are assigned to, random.
        counts: samples of Q and D; the last is the one of the comparison, and comes first.
        fid_counts: samples of FID.
        dimensions: features that FID keeps, 2048 but in a dry run.
        rounds: each way once in each.
        device: of every network.
    """
    batch = pictures(max(*counts, *fid_counts), 64)
    quality, fid = FaceQuality(device), frechet(device, dimensions)
    made: dict[str, tuple[str, int, Callable[[], object]]] = {}
    for embedder in embedders:
        centroids = np.random.default_rng(3).standard_normal((modes, embedder.dimension))
        for count in sorted(counts, reverse=True):
            work = _point(quality, embedder, centroids, batch[:count], device)
            way = f"Q and D, {embedder.name}"
            made[f"{way}, n = {count}"] = (way, count, work)
    for count in fid_counts:
        made[f"FID, n = {count}"] = ("FID", count, _fid_point(fid, batch[:count]))
    # The first run of each network chooses its kernels: the smallest point warms up for all.
    for _, count, work in made.values():
        if count in (min(counts), min(fid_counts)):
            work()
    rows = compare({name: work for name, (*_, work) in made.items()}, rounds, device, warm=False)
    return [{**row, "way": made[row["name"]][0], "n": made[row["name"]][1]} for row in rows]


def _point(
    quality: FaceQuality, embedder: Embedder, centroids: Floats, images: Images, device: str
) -> Callable[[], object]:
    def work() -> tuple[float, float, float]:
        found = quality.detect(images)
        features = embedder.embed(align(images, found.landmarks, device))
        features /= np.linalg.norm(features, axis=1, keepdims=True)
        nearest = nearest_mode(features, centroids, device)
        counts = np.bincount(nearest, minlength=len(centroids))
        q = float(found.probability.mean())
        return q, james_stein_entropy(counts), chao_wang_jost_entropy(counts)

    return work


def _fid_point(fid: FrechetInceptionDistance, images: Images) -> Callable[[], object]:
    def work() -> float:
        fid.reset()
        for start in range(0, len(images), INCEPTION_BATCH):
            part = torch.from_numpy(images[start : start + INCEPTION_BATCH])
            fid.update(part.to(fid.device).permute(0, 3, 1, 2), real=False)
        return float(fid.compute())

    return work


def frechet(device: str, dimensions: int) -> FrechetInceptionDistance:
    """torchmetrics' FID, with statistics of the real images that are there already.

    Its network has random weights: for its time, not for its value.
    """
    fid = FrechetInceptionDistance(Features(dimensions), reset_real_features=False).to(device)
    real = torch.from_numpy(pictures(2 * INCEPTION_BATCH, 64)).to(device).permute(0, 3, 1, 2)
    fid.update(real, real=True)
    return fid


class Features(nn.Module):
    """Inception's pooled features of (n, 3, H, W) uint8 images, brought to its own size.

    Args:
        dimensions: the first so many of them.
    """

    def __init__(self, dimensions: int) -> None:
        super().__init__()
        self.num_features = dimensions
        self.network = inception()

    @torch.inference_mode()
    def forward(self, images: Tensor) -> Tensor:
        """(n, dimensions) float32."""
        size = (INCEPTION_SIDE, INCEPTION_SIDE)
        planes = images.float() / 127.5 - 1
        larger = interpolate(planes, size=size, mode="bilinear", antialias=True)
        features: Tensor = self.network(larger)[:, : self.num_features]
        return features
