"""How good a detector is: hits, false alarms, delay, and the error of the change's step."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from monitor.turning.case import Case
from monitor.turning.messages import GRAVE
from monitor.turning.settings import WINDOW
from monitor.types import TurningPoint

#: Sample batches before the change from which on an alarm is a hit: in recorded LSGANs S jumped
#: 600 iterations, three batches, before D fell.
AHEAD = 3
#: Sample batches after the change's last possible step until which an alarm is a hit. A fall
#: over 15 batches was recorded; what is told after it has ended is of no use.
LATE = 15


@dataclass(frozen=True, slots=True)
class Alarm:
    """What a detector says, whichever it is.

    Attributes:
        step: where the change began, as it says.
        detected_step: step of the point after which it said so.
    """

    step: int
    detected_step: int


#: A detector, as it is judged: the alarms of a whole run, in order.
Detect = Callable[[Case], Sequence[Alarm]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one case went.

    Attributes:
        case: its name.
        turned: it has a turning point.
        points: values that it has.
        false: false alarms: all of a healthy run, those too early or too late of another.
        delay: sample batches from the first step of the change to the alarm, at least 0; None
            without a hit.
        error: sample batches between the step that the alarm names and the nearest at which the
            change may have begun; None without a hit.
    """

    case: str
    turned: bool
    points: int
    false: int
    delay: float | None = None
    error: float | None = None


@dataclass(frozen=True, slots=True)
class Score:
    """How a detector did on many cases.

    Attributes:
        runs, turned: cases, and those with a turning point.
        hits, false: turning points found, false alarms.
        false_per_1000: false alarms per 1000 values.
        false_per_healthy: false alarms in healthy runs, per healthy run.
        delay, error: medians over the hits, in sample batches; None without a hit.
    """

    runs: int
    turned: int
    hits: int
    false: int
    false_per_1000: float
    false_per_healthy: float
    delay: float | None
    error: float | None

    @property
    def precision(self) -> float:
        """Hits among the alarms; 1 if there are none."""
        alarms = self.hits + self.false
        return self.hits / alarms if alarms else 1.0

    @property
    def recall(self) -> float:
        """Turning points found; 1 if there are none."""
        return self.hits / self.turned if self.turned else 1.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        both = 2 * self.hits + self.false + (self.turned - self.hits)
        return 2 * self.hits / both if both else 1.0


def evaluate(detect: Detect, cases: Iterable[Case]) -> Score:
    """Run a detector over cases and score it."""
    return score([judge(case, detect(case)) for case in cases])


def judge(case: Case, alarms: Sequence[Alarm]) -> Outcome:
    """Compare the alarms of one run with its truth.

    The first alarm from `AHEAD` batches before the change to `LATE` after it is the hit; what
    follows it says nothing new. Of false ones, those within ten sample batches of the one before
    are the same alarm.
    """
    window = WINDOW * case.spacing
    if case.turn is None:
        return Outcome(case.name, False, case.points, len(grouped(alarms, window)))
    first, last = case.turn
    earliest, latest = first - AHEAD * case.spacing, last + LATE * case.spacing
    hits = [alarm for alarm in alarms if earliest <= alarm.detected_step <= latest]
    if not hits:
        return Outcome(case.name, True, case.points, len(grouped(alarms, window)))
    early = [alarm for alarm in alarms if alarm.detected_step < earliest]
    false = len(grouped(early, window))
    delay = max(0, hits[0].detected_step - first) / case.spacing
    outside = max(first - hits[0].step, hits[0].step - last, 0) / case.spacing
    return Outcome(case.name, True, case.points, false, delay, outside)


def grouped(alarms: Sequence[Alarm], window_steps: float) -> list[Alarm]:
    """The first alarm of each group whose neighbours are at most so far apart."""
    told: list[Alarm] = []
    previous: Alarm | None = None
    for alarm in alarms:
        if previous is None or alarm.detected_step - previous.detected_step > window_steps:
            told.append(alarm)
        previous = alarm
    return told


def score(outcomes: Sequence[Outcome]) -> Score:
    """Sum up."""
    hits = [each for each in outcomes if each.delay is not None]
    healthy = [each for each in outcomes if not each.turned]
    false, points = sum(each.false for each in outcomes), sum(each.points for each in outcomes)
    delays = [each.delay for each in hits if each.delay is not None]
    errors = [each.error for each in hits if each.error is not None]
    return Score(
        runs=len(outcomes),
        turned=len(outcomes) - len(healthy),
        hits=len(hits),
        false=false,
        false_per_1000=1000 * false / points if points else 0.0,
        false_per_healthy=sum(each.false for each in healthy) / len(healthy) if healthy else 0.0,
        delay=median(delays) if delays else None,
        error=median(errors) if errors else None,
    )


def is_alarm(found: TurningPoint, families: frozenset[str]) -> bool:
    """Whether this says that the training has turned.

    Where only one of S, Q and D is there, nothing can confirm it, and its own kind has to do.
    """
    alone = {"S": "stability", "Q": "quality", "D": "diversity"}
    own = alone[min(families)] if len(families) == 1 else None
    return found.kind in GRAVE or found.kind == own
