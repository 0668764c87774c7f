"""One run under watch: feeds its rows, in order, to the detector and to the user's rules."""

import logging
from collections.abc import Iterable, Sequence
from typing import Any

from monitor.alerts.grouping import Grouping
from monitor.alerts.raising import turning_alert
from monitor.errors import StoreError
from monitor.store.blocks import KINDS, Kind, is_tensor_metric
from monitor.store.connection import Store
from monitor.store.measures import changes_of
from monitor.store.segments import segments_of
from monitor.store.series import kinds_of, metric_names
from monitor.turning import TurningPointDetector
from monitor.turning.early import SCALARS
from monitor.types import Alert
from monitor.watch.reading import KindReader, Moment
from monitor.watch.recovery import is_over
from monitor.watch.remeasured import Remeasurements
from monitor.watch.rewinds import Rewinds
from monitor.watch.run_rules import RunRules

#: Layout of the stored state; a state of another layout starts anew.
STATE_VERSION = 2

log = logging.getLogger(__name__)


class RunWatch:
    """Detector, rules and place of one run.

    Args:
        run: its id.
        state: what `state` returned earlier, or None to start from its first row.
        held: alerts of the detector that are stored and not over, see `is_over`.
        sensitivity: of the detector; it may be another than that of the state.
    """

    def __init__(
        self,
        run: str,
        state: dict[str, Any] | None = None,
        held: Iterable[dict[str, Any]] = (),
        *,
        sensitivity: str = "normal",
    ) -> None:
        self.run = run
        self.rules = RunRules(run)
        self._grouping = Grouping()
        self._held = {alert["id"]: alert for alert in held}
        self._anew = bool(self._held)
        self._over: dict[str, float] = {}
        self._kinds: dict[str, Kind] = {}
        self._ordinal = 0
        self._detector = TurningPointDetector(sensitivity)
        self._readers = [KindReader(kind) for kind in KINDS]
        self._rewinds = {kind: Rewinds() for kind in KINDS}
        self._remeasured = Remeasurements()
        if state is None or state.get("version") != STATE_VERSION:
            return
        try:
            self._detector = TurningPointDetector.from_state(
                {**state["detector"], "sensitivity": sensitivity}
            )
        except StoreError as error:
            log.warning("the run is watched from its beginning: %s", error)
            return
        self._readers = [KindReader(kind, state["places"][kind]) for kind in KINDS]
        self._rewinds = {kind: Rewinds(state.get("rewinds", {}).get(kind)) for kind in KINDS}
        self._remeasured = Remeasurements(state.get("remeasured"))
        self.rules = RunRules(run, state.get("rules"))
        self._grouping = Grouping(state.get("grouping"))
        self._anew = False

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
            "remeasured": self._remeasured.state(),
            "rules": self.rules.state(),
            "grouping": self._grouping.state(),
            "detector": self._detector.state(),
            "summary": self._detector.summary(),
        }

    def advance(self, store: Store, now_s: float) -> list[Alert]:
        """Feed what is there and in order, a page at most; what was found. What is over since then
        is told by `take_over`.

        Args:
            store: both Redis servers.
            now_s: by a clock that only goes forward; gaps are waited for by it.
        Raises:
            UnknownRunError: the run is gone.
        """
        segments = segments_of(store, self.run)
        watched = [name for name in metric_names(store, self.run) if _is_watched(name)]
        wanted = {name: _kind_of(name) for name in watched} | self._kinds_of_rules(store)
        for reader in self._readers:
            its_own = [name for name, kind in wanted.items() if kind == reader.kind]
            reader.load(store, self.run, segments, its_own, now_s)
        # After the rows: one that is there has brought its change along.
        self._remeasured.changes = changes_of(store, self.run)
        alerts: list[Alert] = []
        time = None
        while (moment := self._next()) is not None:
            alerts += self._feed(moment, watched)
            time = moment.time
            if self._ordinal < segments[-1].ordinal:
                # It was of another process: the one that trains now did nothing.
                self.rules.stops.clear()
        # What is stored is of later steps, until a detector that starts anew has seen them again.
        self._anew = self._anew and self.more
        if time is not None and not self._anew:
            self._look_at_held(alerts, time)
        return alerts

    def take_over(self) -> dict[str, float]:
        """When alerts were over, by id; those that were not taken yet."""
        over = {**self._over, **self.rules.over}
        self._over, self.rules.over = {}, {}
        return over

    def _feed(self, moment: Moment, watched: Sequence[str]) -> list[Alert]:
        values = {name: moment.values[name] for name in watched if name in moment.values}
        found = self._detector.update(moment.step, values, epoch=moment.epoch)
        returns = max(rewinds.count for rewinds in self._rewinds.values())
        alerts = [turning_alert(self.run, turning, moment.time, returns) for turning in found]
        return [self._grouping.place(each) for each in (*alerts, *self.rules.feed(moment))]

    def _look_at_held(self, alerts: Sequence[Alert], time: float) -> None:
        """Find out which alerts of the detector are over at `time`, Unix seconds."""
        self._held |= {alert.id: alert.as_dict() for alert in alerts if alert.rule is None}
        summary = self._detector.summary() if self._held else {}
        for name in [name for name, alert in self._held.items() if is_over(alert, summary)]:
            del self._held[name]
            self._over[name] = time

    def _kinds_of_rules(self, store: Store) -> dict[str, Kind]:
        """The metrics that rules name, as far as the run has them, with their kind of push."""
        metrics = self.rules.metrics
        unknown = [name for name in metrics if name not in self._kinds]
        self._kinds |= kinds_of(store, self.run, unknown)
        return {name: self._kinds[name] for name in metrics if name in self._kinds}

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
        self._ordinal = reader.place[0]
        self._rewinds[reader.kind].see(self._ordinal, moment.step, moment.time, moment.row)
        if reader.kind == "samples":
            self._detector.relearn(self._remeasured.at(self._ordinal, moment))
        return moment


def _is_watched(metric: str) -> bool:
    if metric in ("Q", "D") or metric.startswith(SCALARS):
        return True
    return metric.startswith("S.") and "@" not in metric and not is_tensor_metric(metric)


def _kind_of(metric: str) -> Kind:
    """Which pushes a watched metric comes from."""
    return "weights" if metric.startswith(("S.", *SCALARS)) else "samples"
