"""river's detectors of a changed mean or distribution, one a metric.

Each is given its best honest chance: the same observations as ours, the same warm-up, only changes
for the worse that are as large as ours lets confirm another's, both rules of fusing, and the
setting of its grid that is best on the tuning half.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from statistics import fmean, median
from typing import Any, Protocol

from river import drift as river

from benchmarks.turning.fusing import Drift
from benchmarks.turning.streams import Stream

#: Observations of "now" and of "before" by which the size of a change is measured.
NOW, BEFORE = 3, 20
#: Median of |x| of a standard normal variable.
NORMAL_MAD = 0.6745
#: Of KSWIN's draws.
SEED = 0


class Detector(Protocol):
    """What river's detectors have in common."""

    drift_detected: bool

    def update(self, x: float) -> Any:
        """Take the next value."""


@dataclass(frozen=True, slots=True)
class Rival:
    """A detector with one of its settings.

    Attributes:
        name: for people.
        setting: likewise.
        make: a fresh one.
        scaled: values are freed of their running median and divided by their running MAD.
    """

    name: str
    setting: str
    make: Callable[[], Detector]
    scaled: bool = False

    def drifts(self, stream: Stream) -> Iterator[Drift]:
        """Changes for the worse in one metric, as they are found."""
        detector, values = self.make(), stream.values
        first = stream.family.warm_up
        scaled = standardised(values, stream.family.floor) if self.scaled else values
        for i in range(first, len(values)):
            detector.update(scaled[i])
            if detector.drift_detected and worse(values[: i + 1]) >= stream.family.supports:
                seen = stream.observations[i]
                # ADWIN keeps what came after the change; the others do not say where it began.
                width = int(getattr(detector, "width", NOW))
                began = stream.observations[max(first, i + 1 - width)]
                yield Drift(stream.family.name, began.first_step, seen.step)


def worse(values: list[float]) -> float:
    """How much larger the newest values are than those before them."""
    before = values[-NOW - BEFORE : -NOW]
    return fmean(values[-NOW:]) - median(before) if before else 0.0


def standardised(values: list[float], floor: float) -> list[float]:
    """Each value less the median of the twenty before, over their MAD (at least the floor)."""
    scaled = []
    for i, value in enumerate(values):
        before = values[max(0, i - BEFORE) : i] or [value]
        centre = median(before)
        spread = median(abs(x - centre) for x in before) / NORMAL_MAD
        scaled.append((value - centre) / max(floor, spread))
    return scaled


def rivals(*, quick: bool = False) -> Mapping[str, list[Rival]]:
    """Every setting of every rival, the one as it comes first; with `quick` only that one."""
    grids = {
        "river ADWIN": _adwin(),
        "river PageHinkley": _page_hinkley(),
        "river PageHinkley, scaled": _scaled(),
        "river KSWIN": _kswin(),
    }
    return {name: grid[:1] if quick else grid for name, grid in grids.items()}


def _adwin() -> list[Rival]:
    plain = [Rival("river ADWIN", "as it comes", river.ADWIN)]
    return plain + [
        Rival("river ADWIN", f"delta {delta}, every observation", _make(
            river.ADWIN, delta=delta, clock=1, grace_period=5, min_window_length=2,
        ))
        for delta in (0.02, 0.1, 0.3, 0.6, 0.9, 0.99)
    ]  # fmt: skip


def _page_hinkley() -> list[Rival]:
    plain = [Rival("river PageHinkley", "as it comes", river.PageHinkley)]
    return plain + [
        Rival("river PageHinkley", f"up, threshold {threshold}, delta {delta}", _make(
            river.PageHinkley, min_instances=8, threshold=threshold, delta=delta, mode="up",
        ))
        for threshold in (0.6, 1.0, 1.5, 2.0, 3.0)
        for delta in (0.005, 0.05)
    ]  # fmt: skip


def _scaled() -> list[Rival]:
    return [
        Rival("river PageHinkley, scaled", f"up, threshold {threshold}, delta {delta}", _make(
            river.PageHinkley, min_instances=1, threshold=threshold, delta=delta, mode="up",
        ), scaled=True)
        for threshold in (10.0, 7.0, 15.0, 20.0, 25.0, 30.0)
        for delta in (1.0, 0.5)
    ]  # fmt: skip


def _kswin() -> list[Rival]:
    plain = [Rival("river KSWIN", "as it comes", _make(river.KSWIN, seed=SEED))]
    return plain + [
        Rival("river KSWIN", f"alpha {alpha}, {window} with {stat}", _make(
            river.KSWIN, alpha=alpha, window_size=window, stat_size=stat, seed=SEED,
        ))
        for alpha, window, stat in ((0.005, 20, 5), (0.005, 30, 10), (1e-4, 30, 10))
    ]  # fmt: skip


def _make(kind: Callable[..., Any], **settings: Any) -> Callable[[], Detector]:
    return lambda: kind(**settings)
