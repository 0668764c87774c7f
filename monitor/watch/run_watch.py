"""One run under watch: feeds its rows, in order, to the detector."""

import logging
from typing import Any

from monitor.alerts.raising import turning_alert
from monitor.errors import StoreError
from monitor.store.blocks import KINDS, Kind, is_tensor_metric
from monitor.store.connection import Store
from monitor.store.segments import segments_of
from monitor.store.series import metric_names
from monitor.turning import TurningPointDetector
from monitor.turning.early import SCALARS
from monitor.types import Alert
from monitor.watch.reading import KindReader, Moment
from monitor.watch.rewinds import Rewinds

#: Layout of the stored state; a state of another layout starts anew.
STATE_VERSION = 2

log = logging.getLogger(__name__)


class RunWatch:
    """Detector and place of one run.

    Args:
        run: its id.
        state: what `state` returned earlier, or None to start from its first row.
        sensitivity: of the detector; it may be another than that of the state.
    """

    def __init__(
        self, run: str, state: dict[str, Any] | None = None, *, sensitivity: str = "normal"
    ) -> None:
        self.run = run
        self._detector = TurningPointDetector(sensitivity)
        self._readers = [KindReader(kind) for kind in KINDS]
        self._rewinds = {kind: Rewinds() for kind in KINDS}
        if state is None or state.get("version") != STATE_VERSION:
            return
        try:
            self._detector = TurningPointDetector.from_state(
                {**state["detector"], "sensitivity": sensitivity}
            )
        except StoreError as error:
            log.warning("run %r is watched from its beginning: %s", run, error)
            return
        self._readers = [KindReader(kind, state["places"][kind]) for kind in KINDS]
        self._rewinds = {kind: Rewinds(state.get("rewinds", {}).get(kind)) for kind in KINDS}

    @property
    def waiting(self) -> bool:
        """Whether a gap is being waited for."""
        return any(reader.waiting for reader in self._readers)

    @property
    def more(self) -> bool:
        """Whether there may be more to feed at once."""
        return any(reader.more for reader in self._readers)

    @property
    def places(self) -> dict[str, list[int]]:
        """How far each kind of rows was fed."""
        return {reader.kind: reader.place for reader in self._readers}

    def state(self) -> dict[str, Any]:
        """Everything needed to go on later, as JSON; `summary` is for the verdict."""
        return {
            "version": STATE_VERSION,
            "places": self.places,
            "rewinds": {kind: rewinds.state() for kind, rewinds in self._rewinds.items()},
            "detector": self._detector.state(),
            "summary": self._detector.summary(),
        }

    def advance(self, store: Store, now_s: float) -> list[Alert]:
        """Feed what is there and in order, a page at most; what was found.

        Args:
            store: both Redis servers.
            now_s: by a clock that only goes forward; gaps are waited for by it.
        Raises:
            UnknownRunError: the run is gone.
        """
        segments = segments_of(store, self.run)
        watched = [name for name in metric_names(store, self.run) if _is_watched(name)]
        for reader in self._readers:
            its_own = [name for name in watched if _kind_of(name) == reader.kind]
            reader.load(store, self.run, segments, its_own, now_s)
        alerts: list[Alert] = []
        while (moment := self._next()) is not None:
            found = self._detector.update(moment.step, moment.values, epoch=moment.epoch)
            alerts += [turning_alert(self.run, turning, moment.time) for turning in found]
        return alerts

    def _next(self) -> Moment | None:
        """The earliest row of all kinds: after an outage of hours the detector sees what it would
        have seen live. None once a kind has run out of its page: what is earlier may follow.
        """
        if any(reader.more and reader.next_time is None for reader in self._readers):
            return None
        ready = [reader for reader in self._readers if reader.next_time is not None]
        if not ready:
            return None
        reader = min(ready, key=lambda reader: reader.next_time or 0.0)
        moment = reader.take()
        self._rewinds[reader.kind].see(reader.place[0], moment.step, moment.time)
        return moment


def _is_watched(metric: str) -> bool:
    if metric in ("Q", "D") or metric.startswith(SCALARS):
        return True
    return metric.startswith("S.") and "@" not in metric and not is_tensor_metric(metric)


def _kind_of(metric: str) -> Kind:
    """Which pushes a watched metric comes from."""
    return "weights" if metric.startswith(("S.", *SCALARS)) else "samples"
