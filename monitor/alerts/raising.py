"""What detector, clock or rule saw, as alerts whose ids do not depend on who raised them."""

import hashlib
import math

from monitor.alerts.rule import Rule
from monitor.alerts.rule_track import Fired
from monitor.types import Alert, TurningPoint

#: Hexadecimal digits of an alert's id; enough for millions of alerts a run.
ID_DIGITS = 16


def turning_alert(run: str, turning: TurningPoint, time: float, returns: int = 0) -> Alert:
    """The alert of a turning point.

    Args:
        run: its id.
        turning: what the detector says.
        time: of the push that gave it away, Unix seconds.
        returns: how often the training had gone back to an earlier step: the same turn, trained
            once more, is news.
    """
    return Alert(
        id=alert_id(run, turning.kind, turning.step, returns),
        run=run,
        kind=turning.kind,
        step=turning.step,
        detected_step=turning.detected_step,
        metrics=turning.metrics,
        severity=turning.severity,
        message=turning.message,
        time=time,
    )


def rule_alert(run: str, rule: Rule, fired: Fired) -> Alert:
    """The alert of a user's rule. Its onset is the push with which the stretch began: after a
    resume, the same step is another push."""
    return Alert(
        id=alert_id(run, f"rule:{rule.id}", fired.onset.time),
        run=run,
        kind="rule",
        step=fired.onset.step,
        detected_step=fired.now.step,
        metrics=(rule.when.metric,),
        severity=rule.severity,
        message=f"{rule.name}: {_told(rule, fired)}",
        time=fired.now.time,
        rule=rule.name,
    )


def lost_alert(run: str, last_step: int | None, since_s: float, crash: str = "") -> Alert:
    """The alert of a trainer whose last sign of life, after `last_step`, was at `since_s`.

    That moment is the onset: however late it is noticed, and by whom, it is one loss. `crash` is
    the error that ended it, if it told of one; then `since_s` is when it did.
    """
    where = "before its first step" if last_step is None else f"after step {last_step:,}"
    silent = f"Trainer lost: no sign of life {where}."
    return Alert(
        id=alert_id(run, "trainer_lost", since_s),
        run=run,
        kind="trainer_lost",
        step=last_step,
        detected_step=last_step,
        metrics=(),
        severity="critical",
        message=f"Trainer lost {where}: {crash}" if crash else silent,
        time=since_s,
    )


def behind_alert(
    run: str, step: int | None, kind: str, since_s: float, now_s: float, *, workers: int
) -> Alert:
    """The alert of a worker that leaves pushes waiting.

    Args:
        run: its id.
        step: of the newest push.
        kind: of the pushes that wait: ``weights`` or ``samples``.
        since_s, now_s: since when they wait, and now; Unix seconds.
        workers: how many are alive.
    """
    why = "no worker is alive" if workers == 0 else f"{workers} at work"
    waited = f"{(now_s - since_s) / 60:.0f} min"
    return Alert(
        id=alert_id(run, "worker_behind", since_s),
        run=run,
        kind="worker_behind",
        step=step,
        detected_step=step,
        metrics=(),
        severity="warning",
        message=f"Worker behind: {kind} pushed {waited} ago are not evaluated ({why}).",
        time=now_s,
    )


def alert_id(run: str, kind: str, onset: float, returns: int = 0) -> str:
    """Equal for equal run, kind, onset (step or time) and number of returns to an earlier step:
    raising it again changes nothing."""
    text = f"{run}\0{kind}\0{onset}" + (f"\0{returns}" if returns else "")
    return hashlib.sha256(text.encode()).hexdigest()[:ID_DIGITS]


def _told(rule: Rule, fired: Fired) -> str:
    """``D is 1.83 at step 600, since step 400.``"""
    value = "not finite"
    if math.isfinite(fired.value):
        in_degrees = rule.when.text.partition(" for ")[0].endswith(" deg")
        value = f"{math.degrees(fired.value):.4g} deg" if in_degrees else f"{fired.value:.4g}"
    since = f", since step {fired.onset.step:,}" if fired.onset.step != fired.now.step else ""
    return f"{rule.when.metric} is {value} at step {fired.now.step:,}{since}."
