"""What the detector or the clock saw, as alerts whose ids do not depend on who raised them."""

import hashlib

from monitor.types import Alert, TurningPoint

#: Hexadecimal digits of an alert's id; enough for millions of alerts a run.
ID_DIGITS = 16


def turning_alert(run: str, turning: TurningPoint, time: float) -> Alert:
    """The alert of a turning point; `time` is that of the push that gave it away."""
    return Alert(
        id=alert_id(run, turning.kind, turning.step),
        run=run,
        kind=turning.kind,
        step=turning.step,
        detected_step=turning.detected_step,
        metrics=turning.metrics,
        severity=turning.severity,
        message=turning.message,
        time=time,
    )


def lost_alert(run: str, last_step: int | None, heartbeat_s: float) -> Alert:
    """The alert of a trainer whose last sign of life, after `last_step`, was at `heartbeat_s`.

    That moment is the onset: however late it is noticed, and by whom, it is one loss.
    """
    where = "before its first step" if last_step is None else f"after step {last_step:,}"
    return Alert(
        id=alert_id(run, "trainer_lost", heartbeat_s),
        run=run,
        kind="trainer_lost",
        step=last_step,
        detected_step=last_step,
        metrics=(),
        severity="critical",
        message=f"Trainer lost: no sign of life {where}.",
        time=heartbeat_s,
    )


def alert_id(run: str, kind: str, onset: float) -> str:
    """Equal for equal run, kind and onset (step or time): raising it again changes nothing."""
    text = f"{run}\0{kind}\0{onset}"
    return hashlib.sha256(text.encode()).hexdigest()[:ID_DIGITS]
