"""Every way of finding turning points, and which setting of each is judged."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from benchmarks.turning.fusing import RULES, Drift, Rule, fuse
from benchmarks.turning.offline import PENALTIES, Offline
from benchmarks.turning.rivals import Rival, rivals
from benchmarks.turning.streams import Stream, streams
from monitor.turning import TurningPointDetector
from monitor.turning.case import Case
from monitor.turning.evaluate import Alarm, Detect, Score, is_alarm, judge, score
from monitor.turning.settings import SENSITIVITIES
from monitor.types import TurningPoint

#: What ours is called, with the sensitivity behind it.
OURS = "sqd"


@dataclass(frozen=True, slots=True)
class Way:
    """A detector with one setting.

    Attributes:
        name: of the detector.
        setting: for people.
        detect: alarms of a run.
    """

    name: str
    setting: str
    detect: Detect


@dataclass(slots=True)
class Streams:
    """The streams of each run, made once."""

    made: dict[str, list[Stream]] = field(default_factory=dict)

    def of(self, case: Case) -> list[Stream]:
        """The metrics of this run."""
        if case.name not in self.made:
            self.made[case.name] = list(streams(case))
        return self.made[case.name]


@dataclass(slots=True)
class Ours:
    """Our detector with the thresholds of the product; each run is seen once a sensitivity."""

    found: dict[tuple[str, str], list[TurningPoint]] = field(default_factory=dict)

    def of(self, case: Case, sensitivity: str) -> list[TurningPoint]:
        """Everything that it says of a run."""
        key = case.name, sensitivity
        if key not in self.found:
            detector = TurningPointDetector(sensitivity)
            self.found[key] = [
                found
                for record in case.records
                for found in detector.update(record.step, record.values, epoch=record.epoch)
            ]
        return self.found[key]

    def alarms(self, case: Case, sensitivity: str) -> list[Alarm]:
        """What of it says that the training has turned."""
        return [
            Alarm(found.step, found.detected_step)
            for found in self.of(case, sensitivity)
            if is_alarm(found, case.families)
        ]

    def ways(self) -> list[Way]:
        """Each sensitivity, `normal` in front."""
        names = sorted(SENSITIVITIES, key=lambda name: name != "normal")
        return [Way(OURS, name, partial(self.alarms, sensitivity=name)) for name in names]


def others(*, quick: bool = False) -> Mapping[str, list[Way]]:
    """Every setting and rule of the others, by name."""
    known = Streams()
    detectors: list[Rival | Offline] = [
        each for grid in rivals(quick=quick).values() for each in grid
    ]
    detectors += [Offline(penalty) for penalty in PENALTIES[: 1 if quick else None]]
    ways: dict[str, list[Way]] = {}
    for each in detectors:
        memory: dict[str, list[Drift]] = {}
        for rule in RULES:
            detect = partial(_fused, each=each, rule=rule, known=known, memory=memory)
            ways.setdefault(each.name, []).append(Way(each.name, f"{each.setting}; {rule}", detect))
    return ways


def best(ways: Sequence[Way], tuning: Sequence[Sequence[Case]]) -> Way:
    """The way with the highest mean F1 over these sets of cases; the first of equals."""
    sets = [cases for cases in tuning if cases]
    return max(ways, key=lambda way: sum(run(way, cases).f1 for cases in sets))


def run(way: Way, cases: Sequence[Case]) -> Score:
    """Score one way."""
    return score([judge(case, way.detect(case)) for case in cases])


def _fused(
    case: Case,
    each: Rival | Offline,
    rule: Rule,
    known: Streams,
    memory: dict[str, list[Drift]],
) -> list[Alarm]:
    if case.name not in memory:
        memory[case.name] = list(_drifts(known.of(case), each))
    return fuse(case, memory[case.name], rule)


def _drifts(found: Sequence[Stream], each: Rival | Offline) -> Iterator[Drift]:
    for stream in found:
        yield from each.drifts(stream)
