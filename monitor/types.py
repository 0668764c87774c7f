"""The nouns that the rooms of the monitor hand to each other."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

Status = Literal["ok", "insufficient", "nonfinite", "failed"]
#: Order fixes the code each status has in a packed column (see store/columns.py); append only.
STATUSES: tuple[Status, ...] = ("ok", "insufficient", "nonfinite", "failed")

Severity = Literal["info", "warning", "critical"]
#: The least grave first.
SEVERITIES: tuple[Severity, ...] = ("info", "warning", "critical")


@dataclass(frozen=True, slots=True)
class Point:
    """One value of one metric, with everything needed to judge it.

    Attributes:
        metric: its name, e.g. ``S.G``, ``Q``, ``loss.D``.
        step: training step; for S that of the later snapshot.
        epoch: as the trainer said it, or None.
        time: Unix seconds (UTC) when the trainer pushed.
        value: None where it could not be computed.
        stderr: standard error in the metric's unit, None where none is defined.
        n: number of samples; for S the lag in steps.
        status: ``ok``, ``insufficient`` (n too small), ``nonfinite`` or ``failed``.
        reason: why it is not ``ok``, for people.
    """

    metric: str
    step: int
    epoch: float | None
    time: float
    value: float | None
    stderr: float | None = None
    n: int = 1
    status: Status = "ok"
    reason: str = ""


@dataclass(frozen=True, slots=True)
class TurningPoint:
    """What the detector saw.

    Attributes:
        step: where the change began (its onset).
        detected_step: the step of the point that gave it away; never before ``step``.
        kind: ``stability``, ``quality`` or ``diversity`` (one metric alone), ``turning_point``
            (two and more of S, Q, D together), ``mode_collapse`` (D alone, strongly),
            ``nonfinite``; early warnings: ``discriminator_saturated``, ``generator_starved``,
            ``oscillating``, ``divergence``, ``stalled``; or ``recovered``.
        metrics: the names that turned, first the one that moved first.
        severity: ``info``, ``warning`` or ``critical``.
        message: one plain sentence with the figures.
        closes: of ``recovered``: kind and ``step`` of every alert that is over by it.
    """

    step: int
    detected_step: int
    kind: str
    metrics: tuple[str, ...]
    severity: Severity
    message: str
    closes: tuple[tuple[str, int], ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """JSON form, as ``sqd replay --json`` prints it; ``closes`` only where there is any."""
        told = {**asdict(self), "metrics": list(self.metrics)}
        closes = [{"kind": kind, "step": step} for kind, step in told.pop("closes")]
        return {**told, "closes": closes} if closes else told


@dataclass(frozen=True, slots=True)
class Alert:
    """A turning point or another event of a run, as it is stored and shown.

    Attributes:
        id: derived from run, kind, onset and how often the steps had gone back before, so raising
            it again changes nothing.
        run: id of the run.
        kind: as in `TurningPoint`, or ``trainer_lost``, ``worker_behind``, ``rule``; open to more.
        step: onset; None where no step applies.
        detected_step: None likewise.
        metrics: names involved.
        severity: ``info``, ``warning`` or ``critical``.
        message: one plain sentence.
        time: Unix seconds (UTC) of the training at detection.
        rule: name of the user's rule that raised it; None for all others.
        follows: id of the alert that has told of the same event already and no less gravely; None
            if this one is news.
        acknowledged, muted_until, resolved: Unix seconds; None if it was not. They come after the
            alert was raised, and are stored beside it.
    """

    id: str
    run: str
    kind: str
    step: int | None
    detected_step: int | None
    metrics: tuple[str, ...]
    severity: Severity
    message: str
    time: float
    rule: str | None = None
    follows: str | None = None
    acknowledged: float | None = None
    muted_until: float | None = None
    resolved: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """JSON form, as REST and server-sent events carry it."""
        return {**asdict(self), "metrics": list(self.metrics)}
