"""The companions of D of a whole batch, or why they cannot be told."""

from collections.abc import Iterator

import numpy as np

from monitor.diversity.companions.companion import Companion, Sample, Score
from monitor.diversity.companions.offered import OFFERED
from monitor.diversity.feature_sample import MOST_FEATURES
from monitor.errors import MonitorError
from monitor.store.blocks import Cell
from monitor.worker.chosen import Chosen
from monitor.worker.packed import evenly, unpack
from monitor.worker.partial import MIXED, Partial
from monitor.worker.pipeline import Evaluators


def companion_cells(
    batch: Partial, with_: Evaluators, chosen: Chosen
) -> Iterator[tuple[str, Cell]]:
    """Metrics and cells of the companions that the run chose."""
    try:
        sample = _sample(batch, with_) if chosen.companions else None
        failure = ""
    except MonitorError as error:
        sample, failure = None, str(error)
    for companion in chosen.companions:
        if sample is None:
            yield from _failed(companion, batch.n, failure)
        else:
            yield from _measured(companion, sample)


def unknown_cells(batch: Partial, chosen: Chosen) -> Iterator[tuple[str, Cell]]:
    """A failed point for each name that nobody offers: a metric never goes missing silently."""
    offered = ", ".join(("Q", "D", *OFFERED))
    for name in chosen.unknown:
        reason = f"no worker offers {name!r}; there are {offered}"
        metric = name if name.startswith("D.") else f"D.{name}"
        yield metric, Cell(0, None, n=batch.n, status="failed", reason=reason)


def _sample(batch: Partial, with_: Evaluators) -> Sample:
    if batch.feature_failure or not batch.features:
        raise MonitorError(batch.feature_failure or "parts of the batch kept no features")
    if not with_.measured(batch):
        raise MonitorError(MIXED)
    reference = with_.reference
    # Each chunk brings one at least: many small chunks bring more than may be compared.
    features = evenly(unpack(batch.features), MOST_FEATURES)
    head = with_.embedder.head if with_.embedder else None
    if reference is None:
        return Sample(features, None, with_.diversity_failure, head=head)
    missing = (
        f"reference {reference.name!r} keeps no features to compare with: build it again with "
        "`sqd reference build`"
    )
    kept = None if reference.features is None else reference.features.astype(np.float64)
    return Sample(features, kept, missing, reference.normalised, head)


def _measured(companion: Companion, sample: Sample) -> Iterator[tuple[str, Cell]]:
    try:
        # Scores of float32 features fit into float64, the variance of a cubed kernel may not.
        with np.errstate(over="ignore", invalid="ignore"):
            scores = companion.measure(sample)
    except (MonitorError, np.linalg.LinAlgError) as error:
        yield from _failed(companion, len(sample.features), str(error))
        return
    for metric, score in scores.items():
        yield metric, _cell(score)


def _cell(score: Score) -> Cell:
    status = "insufficient" if score.warning else "ok"
    stderr = score.stderr if score.stderr is None or np.isfinite(score.stderr) else None
    return Cell(0, score.value, stderr, score.n, status, score.warning)


def _failed(companion: Companion, n: int, reason: str) -> Iterator[tuple[str, Cell]]:
    for metric in companion.metrics:
        yield metric, Cell(0, None, n=n, status="failed", reason=reason)
