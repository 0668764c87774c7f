"""Sample chunks to partial results: composes Q and D; no I/O."""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.diversity import nearest_mode
from monitor.diversity.reference import ReferenceSet
from monitor.errors import EvaluatorError, MonitorError
from monitor.evaluators.images import are_images, rgb
from monitor.evaluators.patience import Patience
from monitor.protocol import Embedder, QualityEvaluator, Samples
from monitor.worker.chosen import Chosen
from monitor.worker.grid import image_grid
from monitor.worker.packed import pack, share
from monitor.worker.partial import Partial
from monitor.worker.sample_frames import SamplesFrame
from monitor.worker.stopwatch import Timing, untimed

#: Of runs that do not choose.
EVERYTHING = Chosen()
#: How far rounding may take a score beyond 0 or 1.
ROUNDING = 1e-6


@dataclass(frozen=True, slots=True)
class Evaluators:
    """What a worker evaluates with, or why it cannot.

    Attributes:
        quality: for Q, or None with `quality_failure`.
        embedder, reference: for D, or None with `diversity_failure`.
        device: where they run.
        patience: with foreign code among them.
    """

    quality: QualityEvaluator | None
    embedder: Embedder | None
    reference: ReferenceSet | None
    device: str = "cpu"
    quality_failure: str = ""
    diversity_failure: str = ""
    patience: Patience = field(default_factory=Patience)

    def said(self) -> str:
        """One line on what Q and D really run with."""
        quality, embedder, reference = self.quality, self.embedder, self.reference
        q = f"{quality.name} on {quality.provider}" if quality else self.quality_failure
        d = self.diversity_failure
        if embedder and reference:
            d = f"{embedder.name} and reference {reference.name} on {embedder.provider}"
        return f"Q: {q}; D: {d}; device {self.device}"

    @property
    def measures_with(self) -> str:
        """What features and modes come from, to the byte: chunks add up where it is the same."""
        embedder = self.embedder.sha256 if self.embedder else ""
        return f"{embedder} {self.reference.sha256 if self.reference else ''}"

    def measured(self, batch: Partial) -> bool:
        """Whether the modes and features of a batch are those of this embedder and reference."""
        return batch.measured_with in ("", self.measures_with)

    def scoring(self) -> dict[str, Any] | None:
        """What Q is measured with, to be kept with its run."""
        if self.quality is None:
            return None
        known = self.quality
        return {"evaluator": known.name, "sha256": known.sha256, "settings": known.settings}

    def provenance(self) -> dict[str, Any] | None:
        """What D is measured with, to be kept with its points."""
        if self.embedder is None or self.reference is None:
            return None
        modes = len(self.reference.labels)
        return {
            "embedder": self.embedder.name,
            "embedder_sha256": self.embedder.sha256,
            "reference": self.reference.name,
            "reference_sha256": self.reference.sha256,
            "modes": modes,
            "ceiling": math.log(modes),
        }


def evaluate_chunk(
    frame: SamplesFrame,
    with_: Evaluators,
    chosen: Chosen = EVERYTHING,
    timing: Timing = untimed,
) -> Partial:
    """What a chunk contributes to the chosen metrics of its batch."""
    told = Partial(
        n=len(frame.samples),
        values=int(frame.samples.size),
        nonfinite=frame.nonfinite,
        clipped=frame.clipped,
        failure=frame.failure,
    )
    if len(frame.samples) == 0 or frame.failure:
        return told
    if frame.part == 0 and are_images(frame.samples):
        told += Partial(grid=image_grid(rgb(frame.samples)).hex())
    # A batch with a NaN in it has no score; the chunks around it are not worth seconds either.
    return told if frame.nonfinite else told + _evaluate(frame.samples, with_, chosen, timing)


def _evaluate(samples: Samples, with_: Evaluators, chosen: Chosen, timing: Timing) -> Partial:
    told = Partial()
    if chosen.quality:
        try:
            with timing("Q"):
                told = _score(samples, with_)
        except MonitorError as error:
            told = Partial(quality_failure=str(error))
    if not (chosen.diversity or chosen.companions):
        return told
    try:
        with timing("D"):
            return told + _embed(samples, with_, chosen)
    except MonitorError as error:
        return told + Partial(diversity_failure=str(error), feature_failure=str(error))


def _score(samples: Samples, with_: Evaluators) -> Partial:
    """The sums that Q and its error are made of."""
    if with_.quality is None:
        return Partial(quality_failure=with_.quality_failure)
    scores = with_.quality.score(samples).astype(np.float64)
    low, high = float(scores.min()), float(scores.max())
    if low < -ROUNDING or high > 1 + ROUNDING:
        raise EvaluatorError(
            f"{with_.quality.name} gives scores from {low:.3g} to {high:.3g}; Q is between 0 (bad) "
            "and 1 (good): rescale them"
        )
    return Partial(
        quality_sum=float(scores.sum()),
        quality_squares=float((scores**2).sum()),
        scored_with=f"{with_.quality.name} {with_.quality.sha256}",
    )


def _embed(samples: Samples, with_: Evaluators, chosen: Chosen) -> Partial:
    """What the features of a chunk tell of D and its companions."""
    if with_.embedder is None:
        missing = with_.diversity_failure
        return Partial(diversity_failure=missing, feature_failure=missing)
    if with_.reference is None and not chosen.companions:
        return Partial(diversity_failure=with_.diversity_failure)
    found = with_.embedder.features(samples)
    reference = with_.reference
    features = reference.prepare(found.values) if reference else found.values
    told = Partial(unaligned=found.unaligned, measured_with=with_.measures_with)
    if chosen.companions:
        told += Partial(features=[pack(share(features, chosen.samples))])
    if not chosen.diversity:
        return told
    if reference is None:
        return told + Partial(diversity_failure=with_.diversity_failure)
    return told + _assign(features, reference, with_.device)


def _assign(features: NDArray[Any], reference: ReferenceSet, device: str) -> Partial:
    """How many samples are nearest to each mode."""
    nearest = nearest_mode(features, reference.centroids, device)
    modes, counts = np.unique(nearest, return_counts=True)
    return Partial(modes=dict(zip(modes.tolist(), counts.tolist(), strict=True)))
