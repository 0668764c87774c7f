"""The watch's side of the store: the lease, its state, and alerts, in one atomic step."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, cast

from monitor.store import watch_scripts
from monitor.store.alerts import MARKS
from monitor.store.connection import Store, reachable, text
from monitor.store.events import MOST_EVENTS
from monitor.types import Alert
from trainer_hooks import keys

#: A watch that was silent for this long has lost its lease, milliseconds.
LEASE_MS = 10_000

#: What became of a commit: another may hold the lease by now, the run may have been deleted.
Answer = Literal["stored", "lost", "deleted"]


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to watch a shard; `value` is what Redis must still hold when state is stored."""

    shard: int
    value: str


class WatchStore:
    """Lease, state and alerts of one watch.

    Args:
        store: both Redis servers.
        owner: name of this watch; unique.
    """

    def __init__(self, store: Store, owner: str) -> None:
        self._store = store
        self._owner = owner
        self._lease = store.data.register_script(watch_scripts.LEASE)
        self._release = store.data.register_script(watch_scripts.RELEASE_LEASE)
        self._commit = store.data.register_script(watch_scripts.COMMIT)

    def lease(self, shard: int) -> Lease | None:
        """Take or renew the lease on a shard; None while another holds it."""
        with reachable(self._store.redis_url):
            fence = self._lease(
                keys=[keys.watch_lease(shard), keys.watch_fence(shard)],
                args=[self._owner, LEASE_MS],
            )
        return Lease(shard, f"{self._owner}|{int(fence)}") if fence else None

    def release(self, lease: Lease) -> None:
        """Give the lease back if it is still ours."""
        with reachable(self._store.redis_url):
            self._release(keys=[keys.watch_lease(lease.shard)], args=[lease.value])

    def state(self, run: str) -> dict[str, Any] | None:
        """What the last watch of this run left."""
        with reachable(self._store.redis_url):
            stored = self._store.data.hget(keys.watch(run), "state")
        return json.loads(stored) if isinstance(stored, bytes) else None

    def commit(
        self,
        lease: Lease,
        run: str,
        state: dict[str, Any] | None,
        alerts: Sequence[Alert] = (),
        *,
        status: str = "",
        resolved: Mapping[str, float] = MappingProxyType({}),
    ) -> Answer:
        """Store state, status, new alerts and those that are over, and tell of them, in one step.

        Args:
            lease: under which all this was found.
            run: id of the run.
            state: None leaves it as it is.
            alerts: those that are known already change nothing.
            status: told if it is another than before; "" leaves it as it is.
            resolved: when each alert was over, by id; those that were over already stay so.
        """
        told = json.dumps({"run": run, "status": status})
        raised = [part for alert in alerts for part in _parts(alert)]
        over = [part for name, time in resolved.items() for part in (name, json.dumps(time))]
        stored = "" if state is None else json.dumps(state)
        with reachable(self._store.redis_url):
            answer = self._commit(
                keys=[
                    keys.watch_lease(lease.shard),
                    keys.segments(run),
                    keys.watch(run),
                    keys.alerts(run),
                    keys.alert_marks(run),
                    keys.events(run),
                    keys.shard_events(lease.shard),
                    keys.notices(lease.shard),
                    keys.counters(lease.shard),
                ],
                args=[lease.value, run, stored, status, told, MOST_EVENTS, len(alerts), *raised,
                      *over],
            )  # fmt: skip
        return cast(Answer, text(answer))


def _parts(alert: Alert) -> tuple[str, str]:
    """Id, and JSON without what comes later."""
    own = {name: value for name, value in alert.as_dict().items() if name not in MARKS}
    return alert.id, json.dumps(own)
