"""Thins the pictures of runs: to their number, and so far that a run fits into its bytes."""

import contextlib
import logging
import math
from collections.abc import Callable, Mapping

from monitor.errors import UnknownRunError
from monitor.logs import about
from monitor.store.artifacts import fields_by_step, stored_fields
from monitor.store.connection import Store, reachable
from monitor.store.events import announce
from monitor.store.limits import LEAST_GRIDS, NONE_OWN, OwnLimits
from monitor.store.pulses import Pulse
from monitor.store.retention import remove_artifacts
from monitor.store.runs import read_run
from monitor.store.watching import Lease
from monitor.watch.thinning import ALERTS_SHARE, around, thinned
from trainer_hooks import keys

#: Pictures removed by one script, which takes no more words at once.
MOST_REMOVED = 5000

log = logging.getLogger(__name__)


class Pictures:
    """Image grids and mode histograms of one shard.

    Args:
        store: both Redis servers.
        grids: of a run that has no limit of its own.
        clock: seconds that only go forward.
    """

    def __init__(self, store: Store, grids: int, clock: Callable[[], float]) -> None:
        self._store = store
        self._grids = grids
        self._clock = clock
        self._fitting: dict[str, int] = {}
        self._bare: set[str] = set()
        self._overfull: set[str] = set()
        self._done: dict[str, tuple[int, int]] = {}

    def fit(self, sizes: Mapping[str, int], own: Mapping[str, OwnLimits]) -> None:
        """Find out how many pictures may stay of the runs that take more than their own bytes.

        Args:
            sizes: bytes of each run, as they were just counted.
            own: limits of single runs.
        """
        beyond = {
            run: size - limits.bytes
            for run, limits in own.items()
            if limits.bytes and (size := sizes.get(run, 0)) > limits.bytes
        }
        stored = {run: self._stored(run) for run in beyond}
        self._fitting = {run: _fitted(*stored[run], beyond[run]) for run in beyond}
        bare = {run for run, (count, _) in stored.items() if count <= LEAST_GRIDS}
        # A count takes a while, and what was thinned during it may be in it still.
        self._overfull, self._bare = bare & self._bare, bare

    def cannot_fit(self, run: str) -> bool:
        """Whether a run takes more than its own bytes, twice counted, without pictures to thin."""
        return run in self._overfull

    def thin(
        self,
        lease: Lease,
        known: Mapping[str, Pulse],
        own: Mapping[str, OwnLimits],
        give_up_s: float,
    ) -> None:
        """Thin runs that have new rows or another limit.

        Args:
            lease: on the shard.
            known: its runs.
            own: limits of single runs.
            give_up_s: by the clock.
        """
        for run, pulse in known.items():
            todo = (pulse.rows, self._most(run, own))
            if self._done.get(run) != todo:
                if self._clock() >= give_up_s:
                    break
                self._done[run] = todo
                with contextlib.suppress(UnknownRunError), about(run, pulse.last_step):
                    self._thin_run(lease, run, todo[1])
        self._done = {run: done for run, done in self._done.items() if run in known}

    def _most(self, run: str, own: Mapping[str, OwnLimits]) -> int:
        grids = own.get(run, NONE_OWN).grids
        most = self._grids if grids is None else grids
        return min(most, self._fitting.get(run, most))

    def _stored(self, run: str) -> tuple[int, int]:
        """Pictures of a run, those of one batch as one, and their bytes."""
        with reachable(self._store.redis_url):
            pipe = self._store.data.pipeline(transaction=False)
            for key in (keys.grids(run), keys.modes(run)):
                pipe.hlen(key)
                pipe.memory_usage(key)
            grids, grid_bytes, modes, mode_bytes = pipe.execute()
        return max(grids, modes), (grid_bytes or 0) + (mode_bytes or 0)

    def _thin_run(self, lease: Lease, run: str, most: int) -> None:
        for what, key in (("grids", keys.grids(run)), ("modes", keys.modes(run))):
            stored = stored_fields(self._store, key)
            if len(stored) <= most:
                continue
            shown = sorted(fields_by_step(self._store, run, key).items())
            # What a resume has hidden nobody sees again.
            hidden = set(stored).difference(field for _, field in shown)
            steps = [step for step, _ in shown]
            alerts = read_run(self._store, run).alerts
            spared = around(steps, alerts, int(ALERTS_SHARE * most))
            gone = [shown[i][1] for i in thinned(steps, most, spared)]
            fields = [*sorted(hidden), *gone][:MOST_REMOVED]
            count = remove_artifacts(self._store, lease, key, what, fields)
            if count > 0 and what == "grids":
                left = {*fields}.intersection(field for _, field in shown)
                told = [step for step, field in shown if field in left]
                announce(self._store, run, "thinned", {"run": run, "samples": told})
            log.info("%d of %d %s were thinned", count, len(stored), what)


def _fitted(count: int, nbytes: int, excess: int) -> int:
    """Of `count` pictures, `nbytes` together, how many may stay so that `excess` bytes go."""
    gone = math.ceil(excess * count / nbytes) if nbytes else 0
    return max(LEAST_GRIDS, count - gone)
