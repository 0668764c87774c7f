"""Sample chunks to partial results, partial results to points. Composes Q and D; no I/O."""

import json
import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from monitor.diversity import (
    chao_wang_jost_entropy,
    chao_wang_jost_stderr,
    coverage,
    james_stein_entropy,
    james_stein_stderr,
    minimum_samples,
    nearest_mode,
    observed_modes,
)
from monitor.diversity.alignment import align
from monitor.diversity.embedder import Embedder
from monitor.diversity.reference import ReferenceSet
from monitor.errors import MonitorError
from monitor.quality import Detection
from monitor.store.blocks import Block, Cell
from monitor.worker.frames import SamplesFrame
from monitor.worker.grid import image_grid
from monitor.worker.partial import Partial

#: Rank of a batch of images.
IMAGE_RANK = 4
#: Share of clipped values above which the value range must be wrong and no score is honest.
MOST_CLIPPED = 0.05
#: Modes listed as most over- and under-represented.
LISTED_MODES = 12


class Detector(Protocol):
    """What finds faces: `monitor.quality.FaceQuality`."""

    def detect(self, images: NDArray[np.uint8]) -> Detection:
        """The likeliest face of each of (N, H, W, 3) uint8 RGB images."""


@dataclass(frozen=True, slots=True)
class Evaluators:
    """What a worker evaluates with, or why it cannot.

    Attributes:
        detector: finds faces, or None with `quality_failure`.
        embedder, reference: for D, or None with `diversity_failure`.
        device: where they run.
    """

    detector: Detector | None
    embedder: Embedder | None
    reference: ReferenceSet | None
    device: str = "cpu"
    quality_failure: str = ""
    diversity_failure: str = ""

    def provenance(self) -> dict[str, Any] | None:
        """What D is measured with, to be kept with its points."""
        if self.embedder is None or self.reference is None:
            return None
        modes = len(self.reference.labels)
        return {
            "embedder": self.embedder.name,
            "embedder_sha256": self.embedder.sha256,
            "reference": self.reference.name,
            "modes": modes,
            "ceiling": math.log(modes),
        }


def evaluate_chunk(frame: SamplesFrame, with_: Evaluators) -> Partial:
    """What a chunk contributes to Q and D of its batch."""
    samples = frame.samples
    told = Partial(
        n=len(samples),
        values=int(samples.size),
        nonfinite=frame.nonfinite,
        clipped=frame.clipped,
        failure=frame.failure,
        quality_failure=with_.quality_failure,
        diversity_failure=with_.diversity_failure,
    )
    if len(samples) == 0 or frame.failure:
        return told
    if samples.ndim != IMAGE_RANK or samples.dtype != np.uint8:
        reason = f"samples are {samples.dtype} {samples.shape[1:]}; MTCNN needs images (C, H, W)"
        return told + Partial(quality_failure=reason, diversity_failure=reason)
    images = _rgb(samples)
    grid = image_grid(images).hex() if frame.part == 0 else ""
    told = told + Partial(grid=grid)
    if with_.detector is None or frame.nonfinite:
        return told + Partial(diversity_failure=with_.diversity_failure or with_.quality_failure)
    try:
        return told + _evaluate(images, with_.detector, with_)
    except MonitorError as error:
        return told + Partial(quality_failure=str(error), diversity_failure=str(error))


def add_points(block: Block, batch: Partial, with_: Evaluators) -> None:
    """Add the points of a whole batch to its block."""
    trouble = _trouble(batch)
    if trouble is not None:
        for metric in ("Q", "D"):
            block.add(metric, trouble)
        return
    block.add("Q", _quality(batch))
    if batch.diversity_failure or with_.reference is None:
        reason = batch.diversity_failure or "this worker has no reference set"
        block.add("D", Cell(0, None, n=batch.n, status="failed", reason=reason))
        return
    modes = len(with_.reference.labels)
    counts = np.bincount(list(batch.modes), list(batch.modes.values()), modes).astype(np.int64)
    for metric, cell in _diversity(counts, batch).items():
        block.add(metric, cell)


def mode_histogram(batch: Partial, with_: Evaluators) -> bytes:
    """JSON of the modes a batch hit, against what the reference expects; b"" without D."""
    if with_.reference is None or not batch.modes:
        return b""
    reference = with_.reference
    counts = np.zeros(len(reference.labels), np.int64)
    for mode, count in batch.modes.items():
        counts[mode] = count
    expected = reference.expected * batch.n
    order = np.argsort(counts - expected, kind="stable")

    def listed(modes: NDArray[np.int64]) -> list[dict[str, Any]]:
        return [
            {
                "mode": int(mode),
                "label": reference.labels[mode],
                "count": int(counts[mode]),
                "expected": float(expected[mode]),
            }
            for mode in modes
        ]

    return json.dumps(
        {
            "n": batch.n,
            **(with_.provenance() or {}),
            "counts": counts.tolist(),
            "expected": expected.tolist(),
            "over_represented": listed(order[::-1][:LISTED_MODES]),
            "under_represented": listed(order[:LISTED_MODES]),
        }
    ).encode()


def _rgb(samples: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(n, C, H, W) to (n, H, W, 3); grey is repeated."""
    channels = samples if samples.shape[1] == 3 else np.repeat(samples, 3, axis=1)
    return np.ascontiguousarray(channels.transpose(0, 2, 3, 1))


def _evaluate(images: NDArray[np.uint8], detector: Detector, with_: Evaluators) -> Partial:
    found = detector.detect(images)
    probability = found.probability.astype(np.float64)
    quality = Partial(
        quality_sum=float(probability.sum()),
        quality_squares=float((probability**2).sum()),
        unaligned=int((probability == 0).sum()),
    )
    if with_.embedder is None or with_.reference is None:
        return quality
    crops = align(images, found.landmarks, with_.device)
    features = with_.reference.prepare(with_.embedder.embed(crops))
    modes, counts = np.unique(nearest_mode(features, with_.reference.centroids), return_counts=True)
    return quality + Partial(modes=dict(zip(modes.tolist(), counts.tolist(), strict=True)))


def _trouble(batch: Partial) -> Cell | None:
    """Why neither Q nor D of this batch can be told."""
    n = batch.n
    if batch.failure:
        return Cell(0, None, n=n, status="failed", reason=batch.failure)
    if n == 0:
        reason = "every sample of the batch was dropped before it was sent"
        return Cell(0, None, n=0, status="failed", reason=reason)
    if batch.nonfinite:
        reason = f"{batch.nonfinite} of {batch.values} values of the samples are NaN or Inf"
        return Cell(0, None, n=n, status="nonfinite", reason=reason)
    if batch.clipped > MOST_CLIPPED * batch.values:
        share = batch.clipped / batch.values
        reason = f"{share:.0%} of the values lie outside value_range; pass the right one"
        return Cell(0, None, n=n, status="failed", reason=reason)
    return None


def _quality(batch: Partial) -> Cell:
    if batch.quality_failure:
        return Cell(0, None, n=batch.n, status="failed", reason=batch.quality_failure)
    mean = batch.quality_sum / batch.n
    stderr = None
    if batch.n > 1:
        variance = max(0.0, batch.quality_squares - batch.n * mean**2) / (batch.n - 1)
        stderr = math.sqrt(variance / batch.n)
    return Cell(0, mean, stderr, batch.n)


def _diversity(counts: NDArray[np.int64], batch: Partial) -> dict[str, Cell]:
    n = batch.n
    least = minimum_samples(counts.size)
    enough = n >= least
    status = "ok" if enough else "insufficient"
    reason = "" if enough else f"{n} samples; {counts.size} modes need at least {least:.0f}"
    unaligned = batch.unaligned / n
    unaligned_stderr = math.sqrt(unaligned * (1 - unaligned) / n)
    shrunk = james_stein_entropy(counts), _known(james_stein_stderr(counts))
    unseen = chao_wang_jost_entropy(counts), _known(chao_wang_jost_stderr(counts))
    return {
        "D": Cell(0, *shrunk, n, status, reason),
        "D.cwj": Cell(0, *unseen, n, status, reason),
        "D.modes": Cell(0, float(observed_modes(counts)), n=n),
        "D.coverage": Cell(0, coverage(counts), n=n),
        "D.unaligned": Cell(0, unaligned, unaligned_stderr, n),
    }


def _known(stderr: float) -> float | None:
    """One sample has no spread: None instead of NaN."""
    return None if math.isnan(stderr) else stderr
