"""One sentence on each run: the detector's, unless the clock knows better."""

from textwrap import shorten
from typing import Any

from monitor.server.schemas import Level, Verdict
from monitor.store.alerts import open_alerts
from monitor.store.runs import RunRecord
from monitor.turning.verdict import verdict
from monitor.types import Alert

#: Units of an age with their seconds; an age is told in the largest that it fills twice.
UNITS = ((24 * 3600, "days"), (3600, "h"), (60, "min"), (1, "s"))

#: What is said where no image of the newest batch has a face.
NO_FACES = (
    "no face in the newest images; if they are not to be faces, choose --quality and --embedder"
)
#: Longest error that the sentence quotes; the alert has all of it.
CRASH_CHARACTERS = 160


def judge(record: RunRecord, now_s: float) -> Verdict:
    """How the run does at `now_s`, Unix seconds by the Redis clock."""
    summary = _summary(record)
    level: Level = "learning"
    text = "Learning: too few points to judge."
    if summary is not None:
        ceiling = record.provenance["ceiling"] if record.provenance else None
        # That the trainer is lost, its status says.
        told = [alert for alert in open_alerts(record.alerts) if alert["kind"] != "trainer_lost"]
        # D is judged without faces after a while; whether that means anything, nobody knows.
        doubt = NO_FACES if _is_faceless(record) else ""
        level, text = verdict(summary, _as_alerts(told), ceiling=ceiling, doubt=doubt)
    if level == "learning" and (failed := _failed(record)):
        text = failed if summary is None else f"{text} {failed}"
    if record.status == "finished":
        ending = " ".join(part for part in (_finished(record), _failed(record)) if part)
        return Verdict(level="finished", text=_joined(ending, level, text))
    if record.status == "lost":
        return Verdict(level="lost", text=_joined(_lost(record, now_s), level, text))
    return Verdict(level=level, text=text)


def age_text(seconds: float) -> str:
    """``4 min``."""
    for size, unit in UNITS:
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return "a second"


def last_step(record: RunRecord) -> int | None:
    """Step of the newest point; None while there is none."""
    steps = [s.last_step for s in record.segments if s.last_step is not None]
    return steps[-1] if steps else None


def last_time(record: RunRecord) -> float | None:
    """When the newest point was pushed, Unix seconds; None while there is none."""
    return max((float(point["time"]) for point in record.latest.values()), default=None)


def _is_faceless(record: RunRecord) -> bool:
    """Whether Q looks for faces, and the newest batch has none."""
    looks = record.scoring is not None and record.scoring["evaluator"] == "mtcnn"
    return looks and record.latest.get("Q", {}).get("value") == 0


def _failed(record: RunRecord) -> str:
    """That Q could not be computed, D perhaps neither, and why; of D alone, its panel tells."""
    names = [name for name in ("Q", "D") if record.latest.get(name, {}).get("status") == "failed"]
    if "Q" not in names:
        return ""
    reasons = [each["reason"] for each in record.problems if each["metric"] == "Q"]
    why = shorten(reasons[-1].rstrip("."), CRASH_CHARACTERS, placeholder="…") if reasons else ""
    return f"{' and '.join(names)} failed{f': {why}' if why else ''}."


def _summary(record: RunRecord) -> dict[str, Any] | None:
    """What the detector thinks; None before the watch has looked for the first time."""
    summary = (record.watch or {}).get("summary")
    return summary if summary and (summary["metrics"] or summary.get("broken")) else None


def _as_alerts(alerts: list[dict[str, Any]]) -> list[Alert]:
    return [Alert(**{**alert, "metrics": tuple(alert["metrics"])}) for alert in alerts]


def _finished(record: RunRecord) -> str:
    step = last_step(record)
    return "Finished without a point." if step is None else f"Finished at step {step:,}."


def _lost(record: RunRecord, now_s: float) -> str:
    if not record.crash:
        return f"No points for {age_text(_silence_s(record, now_s))}: trainer lost."
    step = last_step(record)
    where = "before its first point" if step is None else f"at step {step:,}"
    crash = shorten(record.crash.rstrip("."), CRASH_CHARACTERS, placeholder="…")
    return f"Trainer lost {where}: {crash}."


def _silence_s(record: RunRecord, now_s: float) -> float:
    # Its last point came no later than its last sign of life, though its clock may say so.
    return max(record.heartbeat_age_s, now_s - (last_time(record) or now_s))


def _joined(ending: str, level: Level, text: str) -> str:
    """What ended, and how it stood then if there was enough to judge."""
    return ending if level == "learning" else f"{ending} {text}"
