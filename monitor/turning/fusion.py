"""What the metrics say together: which changes are one event, and what is told of it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from monitor.turning.change import Change, Turn
from monitor.turning.event import Event
from monitor.turning.messages import COLLAPSE, GRAVE, TOGETHER, describe
from monitor.turning.recovery import Recoveries
from monitor.turning.settings import (
    COOLDOWN_WINDOWS,
    SLACK,
    STABILITY,
    WINDOW,
    WINDOW_BLOCKS,
)
from monitor.turning.track import Track
from monitor.types import TurningPoint


@dataclass(slots=True)
class Fusion:
    """Two of S, Q and D together are a turning point; one alone needs more evidence.

    Attributes:
        tracks: of all metrics, by name; shared with the detector.
        factor: on every threshold, from the sensitivity.
        event: the latest one told.
        raised: step of the latest alert of each kind.
        recoveries: alerts that are not over.
        batch_steps: typical steps between sample batches, 0 while there were none.
    """

    tracks: Mapping[str, Track]
    factor: float
    event: Event = field(default_factory=Event)
    raised: dict[str, int] = field(default_factory=dict)
    recoveries: Recoveries = field(default_factory=Recoveries)
    batch_steps: float = 0.0

    def measure_rhythm(self) -> None:
        """Learn the spacing of the sample batches from Q and D."""
        gaps = (track.gap for track in self.tracks.values() if track.family is not STABILITY)
        self.batch_steps = max(gaps, default=0.0)

    def judge(self, track: Track, evidence: float, step: int) -> TurningPoint | None:
        """Decide what the newest observation of a metric amounts to.

        Args:
            track: of that metric.
            evidence: as `Track.feed` returned it.
            step: of the observation.
        """
        family, units, extent = track.family, evidence / self.factor, track.extent
        if units >= family.agree and extent >= family.supports:
            change = track.suspect(step)
            partners = list(self._partners(change))
            if partners and not self._exchanged([change, *partners]):
                return self._raise(TOGETHER, [change, *partners], step)
            if units >= family.alone and extent >= family.matters:
                return self._raise(COLLAPSE if track.halved else family.kind, [change], step)
        turn = track.turn
        if turn is not None and not turn.collapsed and track.halved:
            turn.collapsed = True
            return self._raise(COLLAPSE, [_as_of_now(track, turn, step)], step)
        return None

    def erosion(self, track: Track, step: int) -> TurningPoint | None:
        """Tell that half of the faces or modes went, too slowly for evidence of a change.

        Args:
            track: of Q or D.
            step: of its newest observation.
        """
        quality = self.tracks.get("Q")
        if step == 0 or (quality is not None and not quality.risen):
            return None
        change = track.erodes(step)
        if change is None:
            return None
        return self._raise(COLLAPSE if track.metric == "D" else track.family.kind, [change], step)

    def rewind(self, step: int) -> None:
        """Forget an event that the run, gone back to this step, has not had yet."""
        self.recoveries.rewind(step)
        if self.event.step > step:
            self.event = Event()

    def _suspicions(self, step: int, window_steps: float) -> Iterator[Change]:
        for track in self.tracks.values():
            for change in reversed(track.suspicions):
                if abs(step - change.step) <= window_steps:
                    yield change
                    break

    def _partners(self, change: Change) -> Iterator[Change]:
        """Recent suspicions of the other families."""
        recent = self._suspicions(change.step, self.window_steps)
        others = (other for other in recent if other.family != change.family)
        return (other for other in others if not self._over(other, change.onset))

    def _over(self, fall: Change, step: int) -> bool:
        """Whether a fall was over at this step. Jumps of S are soon: what they do comes later."""
        mended = self.tracks[fall.metric].mended
        return fall.family != STABILITY.name and mended is not None and fall.step <= mended <= step

    def _exchanged(self, changes: list[Change]) -> bool:
        """Whether D rises instead: samples of modes that are new are no good ones yet."""
        diversity = self.tracks.get("D")
        if diversity is None or any(change.metric == "D" for change in changes):
            return False
        latest = diversity.recent
        return latest != [] and latest[-1] - min(latest) >= diversity.family.supports

    @property
    def window_steps(self) -> float:
        """Steps within which metrics turn together."""
        if self.batch_steps:
            return WINDOW * self.batch_steps
        return WINDOW_BLOCKS * max(track.gap for track in self.tracks.values())

    def _raise(self, kind: str, changes: list[Change], step: int) -> TurningPoint | None:
        slack, grave = SLACK * self.batch_steps, kind in GRAVE
        event = self.event if self.event.near(step, self.window_steps) else Event()
        if grave and event.grave and any(map(event.lacks, changes)):
            # Modes that vanish while the page still tells of a dip of Q: news, and only this is.
            changes = [change for change in changes if change.onset > event.step]
            event = Event()
        silent = event.grave or (not grave and (event.kind != "" or self._muted(kind, step)))
        silent = silent or (kind == TOGETHER and all(map(self._known, changes)))
        for change in changes:
            self.tracks[change.metric].confirm(change, grave)
        turned = [each.metric for each in changes if self.tracks[each.metric].turn is not None]
        if silent:
            self.recoveries.join(turned)
            return None
        event.tell(kind, grave, changes, step, slack)
        self.event, self.raised[kind] = event, step
        found = describe(kind, *event.split(slack), step)
        self.recoveries.tell(found, turned)
        return found

    def _known(self, change: Change) -> bool:
        """Whether a fall was told of and is not over, so that a late jump of S adds nothing."""
        turn = self.tracks[change.metric].turn
        if change.family == STABILITY.name:
            return True
        return turn is not None and turn.grave and change.onset <= turn.change.onset

    def _muted(self, kind: str, step: int) -> bool:
        """Whether a warning of this kind would say nothing new.

        S that keeps jumping is one piece of news, and none where the training has turned.
        """
        last = self.raised.get(kind)
        cooldown = COOLDOWN_WINDOWS * self.window_steps
        if last is not None and 0 <= step - last <= cooldown:
            return True
        turns = [track.turn for track in self.tracks.values() if track.turn is not None]
        turned = any(turn.grave and turn.change.onset <= step for turn in turns)
        return kind == STABILITY.kind and turned


def _as_of_now(track: Track, turn: Turn, step: int) -> Change:
    """The change of a metric that has turned (not of S), with the figures of this step."""
    after = track.recent[-1]
    units = round((turn.level - after) / track.baseline.sigma(track.family), 1)
    return replace(turn.change, step=step, after=after, units=units)
