"""Limits on what is kept: old runs go, pictures are thinned; a little work at each sweep.

Never a run that lives or is marked (`sqd keep`, the tag ``keep``); series are never thinned.
"""

import contextlib
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from monitor.errors import StoreError, UnknownRunError
from monitor.logs import about
from monitor.store.artifacts import fields_by_step, stored_fields
from monitor.store.census import Census
from monitor.store.connection import Store
from monitor.store.deletion import clear, forget_events
from monitor.store.events import announce
from monitor.store.pulses import Pulse
from monitor.store.retention import kept_runs, note_bytes, remove_artifacts, remove_silent
from monitor.store.runs import read_run, run_ids
from monitor.store.watching import Lease
from monitor.watch.thinning import ALERTS_SHARE, around, thinned
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
#: Pictures removed by one script, which takes no more words at once.
MOST_REMOVED = 5000

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """What is kept; see the settings of the same names in `monitor.config`.

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
        self._rows: dict[str, int] = {}
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
        self._thin(lease, known, give_up_s)
        self._clear(known, give_up_s)
        if self._clearing is None:
            self._count(known, give_up_s)
            self._remove(lease, known)
            self._clear(known, give_up_s)

    def _thin(self, lease: Lease, known: dict[str, Pulse], give_up_s: float) -> None:
        """Thin the pictures of runs with new rows."""
        for run, pulse in known.items():
            if self._rows.get(run) != pulse.rows:
                if self._clock() >= give_up_s:
                    break
                self._rows[run] = pulse.rows
                with contextlib.suppress(UnknownRunError), about(run, pulse.last_step):
                    self._thin_run(lease, run)
        self._rows = {run: rows for run, rows in self._rows.items() if run in known}

    def _thin_run(self, lease: Lease, run: str) -> None:
        for what, key in (("grids", keys.grids(run)), ("modes", keys.modes(run))):
            stored = stored_fields(self._store, key)
            if len(stored) <= self._limits.grids:
                continue
            shown = sorted(fields_by_step(self._store, run, key).items())
            # What a resume has hidden nobody sees again.
            hidden = set(stored).difference(field for _, field in shown)
            steps = [step for step, _ in shown]
            alerts = read_run(self._store, run).alerts
            spared = around(steps, alerts, int(ALERTS_SHARE * self._limits.grids))
            gone = [shown[i][1] for i in thinned(steps, self._limits.grids, spared)]
            fields = [*sorted(hidden), *gone][:MOST_REMOVED]
            count = remove_artifacts(self._store, lease, key, what, fields)
            if count > 0 and what == "grids":
                left = {*fields}.intersection(field for _, field in shown)
                told = [step for step, field in shown if field in left]
                announce(self._store, run, "thinned", {"run": run, "samples": told})
            log.info("%d of %d %s were thinned", count, len(stored), what)

    def _count(self, known: dict[str, Pulse], give_up_s: float) -> None:
        """Go on counting bytes, if it is time to; then forget what nobody resumes from."""
        while self._next_census_s <= self._clock() < give_up_s:
            sizes = self._census.step()
            if sizes is not None:
                self._sizes = sizes
                self._next_census_s = self._clock() + CENSUS_S
                note_bytes(self._store, self._shard, sum(sizes.values()))
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
            limit, silent_s, reason = self._beyond(now_s - pulse.heartbeat_s, total)
            if not limit or pulse.run in kept:
                continue
            if remove_silent(self._store, lease, pulse.run, silent_s, limit) == "removed":
                with about(pulse.run, pulse.last_step):
                    log.warning("the run was removed: %s", reason)
                self._sizes.pop(pulse.run, None)
                self._clearing = clear(self._store, pulse.run, reason)
                return

    def _beyond(self, silent_s: float, total: int) -> tuple[str, float, str]:
        """The limit that a run is beyond which was silent for so long, or ""."""
        days, nbytes = self._limits.days, self._limits.nbytes
        least_s = max(days * DAY_S, LEAST_SILENCE_S)
        ended = f"it ended {silent_s / DAY_S:.0f} days ago"
        if days and silent_s >= least_s:
            return "days", least_s, f"{ended} (retain_days is {days:g})"
        if nbytes and total > nbytes:
            return (
                "bytes",
                LEAST_SILENCE_S,
                f"{ended}, and all runs take {total:,} bytes " + (f"(retain_bytes is {nbytes:,})"),
            )
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
