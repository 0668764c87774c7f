"""What Redis answers to a trainer."""

import contextlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from trainer_hooks.pushes import MAX_STEP

#: One alert as REST carries it (docs/api.md).
Alert = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """To a push or a heartbeat.

    Attributes:
        batches_done: sample batches evaluated so far.
        alerts: of the run, whoever trained it, oldest first.
        stop: whether this process is asked to stop.
    """

    batches_done: int
    alerts: tuple[Alert, ...] = ()
    stop: bool = False

    @classmethod
    def of_beat(cls, answer: Sequence[Any]) -> "Answer":
        """What `scripts.HEARTBEAT` returned; what it leaves out means no."""
        _, batches_done, alerts, stop = (*answer, [], 0)[:4]
        return cls(int(batches_done), _alerts(alerts), bool(stop))


def time_of(alert: Alert) -> float:
    """When the training pushed what gave it away, Unix seconds; 0 where nobody says."""
    return _number(alert.get("time")) or 0.0


def onset_of(alert: Alert) -> int | None:
    """The step where the change began; None where no step applies."""
    step = _number(alert.get("step"))
    return None if step is None else int(step)


def _alerts(texts: Iterable[bytes]) -> tuple[Alert, ...]:
    """Those that can be read: others may write into this Redis."""
    found = []
    for text in texts:
        with contextlib.suppress(ValueError, RecursionError):
            alert = json.loads(text)
            if isinstance(alert, dict):
                found.append(alert)
    return tuple(sorted(found, key=lambda alert: (time_of(alert), str(alert.get("id")))))


def _number(value: Any) -> float | None:
    usable = isinstance(value, int | float) and abs(value) <= MAX_STEP
    return float(value) if usable else None
