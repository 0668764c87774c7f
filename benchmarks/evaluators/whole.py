"""One point of Q and D, from images to numbers, beside one point of FID."""

from collections.abc import Callable, Sequence

import numpy as np
import scipy.linalg
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.functional import interpolate

from benchmarks.evaluators.networks import inception
from benchmarks.evaluators.pictures import pictures
from benchmarks.evaluators.timing import Row, compare
from monitor.diversity import chao_wang_jost_entropy, james_stein_entropy, nearest_mode
from monitor.diversity.alignment import align
from monitor.diversity.embedder import Embedder
from monitor.quality import FaceQuality

#: Side of Inception's input in pixels, and images of one run of it.
INCEPTION_SIDE, INCEPTION_BATCH = 299, 50
#: Ridge on the diagonal: fewer samples than dimensions have a singular covariance (FID's own 1e-6).
RIDGE = 1e-6

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
    quality, fid = FaceQuality(device), Fid(device, dimensions)
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


def _fid_point(fid: "Fid", images: Images) -> Callable[[], object]:
    return lambda: fid.distance(images)


class Fid:
    """The Fréchet distance to statistics that are already there, as every point of FID costs it.

    The network has random weights: for its time, not for its value.
    """

    def __init__(self, device: str, dimensions: int) -> None:
        self._device, self._dimensions = device, dimensions
        self._network: nn.Module = inception(device)
        real = np.random.default_rng(4).standard_normal((2 * dimensions, dimensions))
        self._mean, self._covariance = real.mean(axis=0), np.cov(real, rowvar=False)

    def distance(self, images: Images) -> float:
        """|μ − μ'|² + tr(Σ + Σ' − 2(ΣΣ')^½)."""
        features = self._features(images).astype(np.float64)
        mean, covariance = features.mean(axis=0), np.cov(features, rowvar=False)
        covariance += RIDGE * np.eye(self._dimensions)
        root = scipy.linalg.sqrtm(covariance @ self._covariance).real
        apart = np.square(mean - self._mean).sum()
        return float(apart + np.trace(covariance + self._covariance - 2 * root))

    @torch.inference_mode()
    def _features(self, images: Images) -> NDArray[np.float32]:
        parts = []
        for start in range(0, len(images), INCEPTION_BATCH):
            part = torch.from_numpy(images[start : start + INCEPTION_BATCH]).to(self._device)
            planes = part.permute(0, 3, 1, 2).float() / 127.5 - 1
            size = (INCEPTION_SIDE, INCEPTION_SIDE)
            larger = interpolate(planes, size=size, mode="bilinear", antialias=True)
            parts.append(self._network(larger)[:, : self._dimensions].cpu().numpy())
        return np.concatenate(parts)
