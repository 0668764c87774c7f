"""Limits on what is kept: old runs go, pictures are thinned; a little work at each sweep.

Never a run that lives or is marked (`sqd keep`, the tag ``keep``); series are never thinned.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from monitor.errors import StoreError
from monitor.logs import about
from monitor.store.census import Census
from monitor.store.connection import Store
from monitor.store.deletion import clear, forget_events
from monitor.store.limits import NONE_OWN, OwnLimits, all_limits
from monitor.store.pulses import Pulse
from monitor.store.retention import kept_runs, note_bytes, remove_silent
from monitor.store.runs import run_ids
from monitor.store.watching import Lease
from monitor.watch.pictures import Pictures
from trainer_hooks import keys

DAY_S = 24 * 3600.0
#: No limit removes a run that was heard within this time, seconds: its trainer may be without a
#: network, and send what it wrote to disk.
LEAST_SILENCE_S = DAY_S
#: Longest time a sweep works for limits, seconds: a fraction of the pause between two.
BUDGET_S = 0.25
#: Pause between two counts of bytes, seconds.
CENSUS_S = 600.0
#: Listeners may resume from events of a run that is gone for so long, seconds.
RESUME_S = 600.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """What is kept; see the settings of the same names in `monitor.config`. A run may have others.

    Attributes:
        days: after its end that a run is kept; 0 for ever.
        nbytes: of all runs; 0 for any.
        grids: image grids, and mode histograms, of a run.
    """

    days: float = 0
    nbytes: int = 0
    grids: int = 500


#: Every run is kept; pictures as the settings have it by default.
NO_LIMITS = Limits()


class Retention:
    """Applies the limits to one shard.

    Args:
        store: both Redis servers.
        shard: number of the shard.
        limits: what is kept.
        clock: seconds that only go forward.
    """

    def __init__(
        self,
        store: Store,
        shard: int,
        limits: Limits,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._shard = shard
        self._limits = limits
        self._clock = clock
        self._census = Census(store, shard)
        self._sizes: dict[str, int] = {}
        self._clearing: Iterator[None] | None = None
        self._pictures = Pictures(store, limits.grids, clock)
        self._own: dict[str, OwnLimits] = {}
        self._next_census_s = 0.0

    def sweep(self, lease: Lease, pulses: Iterable[Pulse]) -> None:
        """Do a little of what there is to do.

        Args:
            lease: on the shard.
            pulses: of its runs.
        """
        known = {pulse.run: pulse for pulse in pulses}
        try:
            self._work(lease, known, self._clock() + BUDGET_S)
        except StoreError:
            raise
        except Exception:
            # One strange run must not keep all others for ever.
            log.exception("limits stumbled and go on")

    def _work(self, lease: Lease, known: dict[str, Pulse], give_up_s: float) -> None:
        self._own = all_limits(self._store, self._shard)
        self._pictures.thin(lease, known, self._own, give_up_s)
        self._clear(known, give_up_s)
        if self._clearing is None:
            self._count(known, give_up_s)
            self._remove(lease, known)
            self._clear(known, give_up_s)

    def _count(self, known: dict[str, Pulse], give_up_s: float) -> None:
        """Go on counting bytes, if it is time to; then forget what nobody resumes from."""
        while self._next_census_s <= self._clock() < give_up_s:
            sizes = self._census.step()
            if sizes is not None:
                self._sizes = sizes
                self._next_census_s = self._clock() + CENSUS_S
                note_bytes(self._store, self._shard, sum(sizes.values()))
                self._pictures.fit(sizes, self._own)
                before_s = self._store.now_s() - RESUME_S
                forget_events(self._store, self._shard, known, before_s)
                return

    def _remove(self, lease: Lease, known: dict[str, Pulse]) -> None:
        """Remove one run that is beyond a limit, if there is one."""
        now_s = self._store.now_s()
        silent = [p for p in known.values() if now_s - p.heartbeat_s >= LEAST_SILENCE_S]
        silent.sort(key=lambda pulse: pulse.heartbeat_s)
        kept = kept_runs(self._store, [pulse.run for pulse in silent])
        total = sum(self._sizes.get(run, 0) for run in known)
        for pulse in silent:
            limit, silent_s, reason = self._beyond(pulse.run, now_s - pulse.heartbeat_s, total)
            if not limit or pulse.run in kept:
                continue
            if remove_silent(self._store, lease, pulse.run, silent_s, limit) == "removed":
                with about(pulse.run, pulse.last_step):
                    log.warning("the run was removed: %s", reason)
                self._sizes.pop(pulse.run, None)
                self._clearing = clear(self._store, pulse.run, reason)
                return

    def _beyond(self, run: str, silent_s: float, total: int) -> tuple[str, float, str]:
        """The limit that a run is beyond which was silent for so long, or ""."""
        own = self._own.get(run, NONE_OWN)
        days, told = self._limits.days, "retain_days is"
        if own.days is not None:
            days, told = own.days, "its own limit is"
        least_s = max(days * DAY_S, LEAST_SILENCE_S)
        ended = f"it ended {silent_s / DAY_S:.0f} days ago"
        if days and silent_s >= least_s:
            return "days", least_s, f"{ended} ({told} {days:g})"
        size, nbytes = self._sizes.get(run, 0), self._limits.nbytes
        if own.bytes and size > own.bytes and self._pictures.cannot_fit(run):
            said = f"{ended}, and it takes {size:,} bytes (its own limit is {own.bytes:,})"
            return "bytes", LEAST_SILENCE_S, said
        if nbytes and total > nbytes:
            said = f"{ended}, and all runs take {total:,} bytes (retain_bytes is {nbytes:,})"
            return "bytes", LEAST_SILENCE_S, said
        return "", 0.0, ""

    def _clear(self, known: dict[str, Pulse], give_up_s: float) -> None:
        """Go on removing keys of a run that is gone, also one that somebody else left half gone."""
        if self._clearing is None:
            left = [r for r in run_ids(self._store) if r not in known and self._is_mine(r)]
            if not left:
                return
            self._clearing = clear(self._store, left[0])
        while self._clock() < give_up_s:
            if next(self._clearing, self) is self:
                self._clearing = None
                return

    def _is_mine(self, run: str) -> bool:
        return keys.shard_of(run) == self._shard
