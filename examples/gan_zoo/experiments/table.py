"""What the recordings of an experiment say, as Markdown tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from examples.gan_zoo.experiments.plan import LOSSES, Planned
from examples.gan_zoo.experiments.recording import last_sixth, series, turning_points

#: Kinds that say that a training has turned.
TURNED = ("turning_point", "mode_collapse")
#: Metrics of a table, in the order of its columns, and their decimals.
METRICS = {"Q": 3, "D": 3, "D.cwj": 3, "D.frechet": 4}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one training.

    Attributes:
        planned: the training.
        path: of its recording.
        means: of each metric over the last sixth.
        turned: step at which it began to turn, by the detector; None if it did not.
    """

    planned: Planned
    path: Path
    means: Mapping[str, float]
    turned: int | None


def outcome(training: Planned, path: Path, iterations: int) -> Outcome:
    """Read a recording."""
    found = series(path)
    means = {name: last_sixth(*found[name], iterations) for name in METRICS if name in found}
    turns = [turn.step for turn in turning_points(path) if turn.kind in TURNED]
    return Outcome(training, path, means, min(turns, default=None))


def summary(outcomes: Sequence[Outcome]) -> str:
    """A row a model: each metric's mean over the seeds and, in brackets, each seed's; the turns."""
    metrics = [name for name in METRICS if any(name in each.means for each in outcomes)]
    rows = [("model", *metrics, "turning point at step")]
    for model in dict.fromkeys(each.planned.model for each in outcomes):
        own = [each for each in outcomes if each.planned.model == model]
        turns = ", ".join("none" if e.turned is None else f"{e.turned:,}" for e in own)
        rows.append((model, *(_cell(own, name) for name in metrics), turns))
    return _markdown(rows)


def paper_table(outcomes: Sequence[Outcome]) -> str:
    """The SQD paper's Table 2: Q and D of each loss, without and with GP."""
    rows = [("model", "Q w/o GP", "Q w/ GP", "D w/o GP", "D w/ GP")]
    for loss in LOSSES:
        name = loss.upper()
        ways = [
            [each for each in outcomes if each.planned.model == model]
            for model in (name, f"{name}-GP")
        ]
        cells = [_cell(own, metric) for metric in ("Q", "D") for own in ways]
        rows.append((name, *cells))
    return _markdown(rows)


def _cell(outcomes: Sequence[Outcome], metric: str) -> str:
    values = [each.means[metric] for each in outcomes if metric in each.means]
    if not values:
        return "–"
    each = [f"{value:.{METRICS[metric]}f}" for value in values]
    mean = f"{fmean(values):.{METRICS[metric]}f}"
    return mean if len(each) == 1 else f"{mean} ({', '.join(each)})"


def _markdown(rows: Sequence[Sequence[str]]) -> str:
    head, *body = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([head, "|---" * len(rows[0]) + "|", *body])
