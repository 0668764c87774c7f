"""Delivery: tells people of alerts, in a thread of its own, where the watch's lease is held."""

import logging
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from monitor.alerts.channels import Channel, Letter
from monitor.errors import ChannelError, StoreError
from monitor.logs import about
from monitor.store import deliveries
from monitor.store.alerts import read_alerts
from monitor.store.connection import Store
from monitor.store.deliveries import Notice
from monitor.store.watching import Lease
from monitor.types import SEVERITIES, Severity
from monitor.watch.evidence import letter_of, pictures_of
from monitor.watch.ticking import tick_until

#: Tries of one notice; with the waits below, they take half an hour.
MOST_TRIES = 10
#: Wait after the first failure, doubled by each further one up to the longest, seconds.
FIRST_WAIT_S, LONGEST_WAIT_S = 5.0, 600.0
#: Wait for the alert that tells of the same event to be sent first, seconds.
HEAD_WAIT_S = 1.0
#: Nobody is told of a run whose trainer was last heard longer ago, seconds: a day. When a new
#: detector looks at all old runs, people must not hear of each.
OLD_S = 24 * 3600.0

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Case:
    """One alert that is due: under which lease, whether nobody wants to hear of it, its letter."""

    lease: Lease
    alert: dict[str, Any]
    silent: bool
    letter: Letter | None = None


class Delivery:
    """Sends what is due to every channel, once each.

    Args:
        store: both Redis servers.
        leases: the shards that are ours at the moment.
        channels: where people are told; without any, nobody is.
        page_url: of the dashboard.
        least: alerts less grave than this are for the page alone.
    """

    def __init__(
        self,
        store: Store,
        leases: Callable[[], Sequence[Lease]],
        channels: Sequence[Channel],
        page_url: str = "",
        least: Severity = "warning",
    ) -> None:
        self._store = store
        self._leases = leases
        self._channels = channels
        self._page_url = page_url.rstrip("/")
        self._least = SEVERITIES.index(least)
        self._stopping = threading.Event()
        #: Outcomes that could not be stored yet: what was sent must not be sent again.
        self._unsettled: list[Callable[[], None]] = []

    def run(self) -> None:
        """Deliver until `stop`; an outage of Redis is waited out."""
        tick_until(self._stopping, self.tick, "the delivery of notices")

    def stop(self) -> None:
        """End `run` soon; a notice that is on its way is not called back."""
        self._stopping.set()

    def tick(self) -> None:
        """Send what is due."""
        while self._unsettled:
            self._unsettled[0]()
            self._unsettled.pop(0)
        for lease in self._leases():
            now_s = self._store.now_s()
            for run, alert in deliveries.due_alerts(self._store, lease.shard, now_s):
                if self._stopping.is_set():
                    return
                with about(run):
                    due_s = self._deliver_or_leave(lease, run, alert)
                deliveries.put_off(self._store, lease, run, alert, due_s)

    def _deliver_or_leave(self, lease: Lease, run: str, alert: str) -> float | None:
        try:
            return self._deliver(lease, run, alert)
        except StoreError:
            raise
        except Exception:
            # One strange alert must not keep people from hearing of all others.
            log.exception("nobody can be told of alert %s", alert)
            return None

    def _deliver(self, lease: Lease, run: str, name: str) -> float | None:
        """Tell of one alert; when to look at it again, Unix seconds, None for never."""
        known = read_alerts(self._store, run)
        alert = next((each for each in known if each["id"] == name), None)
        if alert is None or SEVERITIES.index(alert["severity"]) < self._least:
            return None
        now_s = self._store.now_s()
        if now_s - deliveries.heard_at_s(self._store, run) > OLD_S:
            return None
        silent = alert["acknowledged"] is not None or _is_muted(alert, known, now_s)
        case = _Case(lease, alert, silent)
        with about(run, alert["detected_step"]):
            dues = [self._tell(channel, case) for channel in self._channels]
        return min((due_s for due_s in dues if due_s is not None), default=None)

    def _tell(self, channel: Channel, case: _Case) -> float | None:
        """Tell one channel, if it is time; when to try again, None for never."""
        if case.alert["follows"] is not None:
            told = self._is_told(case.lease, case.alert, channel)
            if told is not False:
                return None if told else self._store.now_s() + HEAD_WAIT_S
        notice = Notice(case.alert["run"], case.alert["id"], channel.name, uuid.uuid4().hex)
        answer, number = deliveries.begin(self._store, case.lease, notice)
        if answer != "go":
            return {"due": number, "lost": self._store.now_s()}.get(answer)
        if case.silent:
            self._settle(notice, "muted")
            return None
        case.letter = case.letter or self._letter(case.alert)
        wait_s = self._send(channel, case.letter, notice, case.alert, int(number))
        return None if wait_s is None else self._store.now_s() + wait_s

    def _is_told(self, lease: Lease, alert: Mapping[str, Any], channel: Channel) -> bool | None:
        """Whether this channel has heard of the alert's event by another; None: not known yet.

        One that was silenced has told nobody: a mute of its kind must not hide another.
        """
        place = (alert["run"], alert["follows"], channel.name)
        state = deliveries.outcome(self._store, lease.shard, *place)
        return None if state == "queued" else state != "muted"

    def _letter(self, alert: Mapping[str, Any]) -> Letter:
        """Words, and pictures if they can be drawn."""
        try:
            pictures = pictures_of(self._store, alert)
        except StoreError:
            raise
        except Exception:
            log.exception("the pictures of an alert cannot be drawn")
            pictures = []
        return letter_of(alert, self._page_url, pictures)

    def _send(
        self, channel: Channel, letter: Letter, notice: Notice, alert: Mapping[str, Any], tries: int
    ) -> float | None:
        """Send it; seconds until the next try, None if there is none."""
        try:
            if tries > MOST_TRIES:
                raise ChannelError("the server ended each time while it was sending")
            channel.send(letter)
        except ChannelError as error:
            return self._failed(notice, alert, str(error), tries)
        except Exception as error:
            # A library's defect must not end the notices of the others.
            log.warning("%s failed: %s", channel.name, type(error).__name__)
            return self._failed(notice, alert, type(error).__name__, tries)
        self._settle(notice, "sent")
        return None

    def _failed(
        self, notice: Notice, alert: Mapping[str, Any], error: str, tries: int
    ) -> float | None:
        if tries < MOST_TRIES:
            wait_s: float = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** (tries - 1))
            self._settle(notice, "waiting", error=error, again_s=wait_s)
            return wait_s
        log.warning("%s was given up after %d tries: %s", notice.channel, tries, error)
        step = int(alert["detected_step"] or 0)
        reason = f"{notice.channel} took no notice in {tries} tries: {error}"
        problem = {
            "metric": "notices", "status": "failed", "count": 1,
            "first_step": step, "last_step": step, "reason": reason,
        }  # fmt: skip
        self._settle(notice, "given_up", error=error, problem=problem)
        return None

    def _settle(self, notice: Notice, state: deliveries.State, **how: Any) -> None:
        try:
            deliveries.settle(self._store, notice, state, **how)
        except StoreError:
            self._unsettled.append(lambda: deliveries.settle(self._store, notice, state, **how))
            raise


def _is_muted(alert: Mapping[str, Any], known: Sequence[Mapping[str, Any]], now_s: float) -> bool:
    """Whether somebody has muted it or another of its kind (and rule) in its run."""
    like = [
        each for each in known if (each["kind"], each["rule"]) == (alert["kind"], alert["rule"])
    ]
    return any((each["muted_until"] or 0.0) > now_s for each in like)
