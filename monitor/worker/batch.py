"""A whole sample batch to its points: Q, D with what belongs to it, or why they cannot be told."""

import json
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.diversity import (
    chao_wang_jost_entropy,
    chao_wang_jost_stderr,
    coverage,
    james_stein_entropy,
    james_stein_stderr,
    minimum_samples,
    observed_modes,
)
from monitor.diversity.reference import ReferenceSet
from monitor.store.blocks import Block, Cell
from monitor.worker.chosen import Chosen
from monitor.worker.companions import companion_cells, unknown_cells
from monitor.worker.partial import MIXED, Partial
from monitor.worker.pipeline import EVERYTHING, Evaluators
from monitor.worker.stopwatch import Timing, untimed

#: Share of clipped values above which the value range must be wrong and no score is honest.
MOST_CLIPPED = 0.05
#: Modes listed as most over- and under-represented.
LISTED_MODES = 12
#: Up to so many modes all labels go with each histogram: some kilobytes a batch.
MOST_LABELS = 256

Counts = NDArray[np.int64]


def add_points(
    block: Block,
    batch: Partial,
    with_: Evaluators,
    chosen: Chosen = EVERYTHING,
    timing: Timing = untimed,
) -> bytes:
    """Add the points of a batch to its block; JSON of its mode histogram, b"" without D."""
    for metric, cell in unknown_cells(batch, chosen):
        block.add(metric, cell)
    trouble = _trouble(batch)
    if trouble is not None:
        for metric in chosen.metrics():
            block.add(metric, trouble)
        return b""
    if chosen.quality:
        block.add("Q", _quality(batch))
    if chosen.companions:
        with timing("companions"):
            for metric, cell in companion_cells(batch, with_, chosen):
                block.add(metric, cell)
    return _add_diversity(block, batch, with_) if chosen.diversity else b""


def _add_diversity(block: Block, batch: Partial, with_: Evaluators) -> bytes:
    """Add D and what comes with it; the histogram."""
    if batch.diversity_failure or with_.reference is None or not with_.measured(batch):
        reason = batch.diversity_failure or MIXED
        block.add("D", Cell(0, None, n=batch.n, status="failed", reason=reason))
        return b""
    counts = np.zeros(len(with_.reference.labels), np.int64)
    for mode, count in batch.modes.items():
        counts[mode] = count
    for metric, cell in _diversity(counts, batch).items():
        block.add(metric, cell)
    if with_.embedder is not None and with_.embedder.aligns:
        block.add("D.unaligned", _unaligned(batch))
    about = {"n": batch.n, **(with_.provenance() or {}), **_histogram(counts, with_.reference)}
    return json.dumps(about).encode()


def _trouble(batch: Partial) -> Cell | None:
    """Why nothing of this batch can be told."""
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
    """Q and the standard error of a mean."""
    if batch.quality_failure:
        return Cell(0, None, n=batch.n, status="failed", reason=batch.quality_failure)
    mean = batch.quality_sum / batch.n
    if batch.n == 1:
        return Cell(0, mean)
    variance = max(0.0, batch.quality_squares - batch.n * mean**2) / (batch.n - 1)
    return Cell(0, mean, math.sqrt(variance / batch.n), batch.n)


def _diversity(counts: Counts, batch: Partial) -> dict[str, Cell]:
    n = batch.n
    least = minimum_samples(counts.size)
    enough = n >= least
    status = "ok" if enough else "insufficient"
    reason = "" if enough else f"{n} samples; {counts.size} modes need at least {least}"
    shrunk = james_stein_entropy(counts), _known(james_stein_stderr(counts))
    unseen = chao_wang_jost_entropy(counts), _known(chao_wang_jost_stderr(counts))
    return {
        "D": Cell(0, *shrunk, n, status, reason),
        "D.cwj": Cell(0, *unseen, n, status, reason),
        "D.modes": Cell(0, float(observed_modes(counts)), n=n),
        "D.coverage": Cell(0, coverage(counts), n=n),
    }


def _unaligned(batch: Partial) -> Cell:
    """Share of the samples that the embedder took whole."""
    share = batch.unaligned / batch.n
    return Cell(0, share, math.sqrt(share * (1 - share) / batch.n), batch.n)


def _known(stderr: float) -> float | None:
    """One sample has no spread: None instead of NaN."""
    return None if math.isnan(stderr) else stderr


def _histogram(counts: Counts, reference: ReferenceSet) -> dict[str, Any]:
    """Counts against what the reference expects of as many samples."""
    expected = reference.expected * counts.sum()
    surplus = counts - expected
    order = np.argsort(surplus, kind="stable").tolist()

    def listed(modes: list[int]) -> list[dict[str, Any]]:
        return [
            {
                "mode": mode,
                "label": reference.labels[mode],
                "count": int(counts[mode]),
                "expected": float(expected[mode]),
            }
            for mode in modes
        ]

    named = counts.size <= MOST_LABELS
    return {
        "counts": counts.tolist(),
        "labels": list(reference.labels) if named else None,
        # One number for all: a list of 10,000 equal ones would be most of what is stored.
        "expected": float(expected[0]) if np.ptp(expected) == 0 else expected.tolist(),
        "over_represented": listed([i for i in order[::-1][:LISTED_MODES] if surplus[i] > 0]),
        "under_represented": listed([i for i in order[:LISTED_MODES] if surplus[i] < 0]),
    }
