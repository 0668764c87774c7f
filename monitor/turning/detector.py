"""The turning-point detector: one track a metric, and what they say together."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from math import exp, isfinite
from typing import Any

from monitor.errors import StoreError
from monitor.turning.early import EarlyWarnings
from monitor.turning.fusion import Fusion
from monitor.turning.messages import describe_nonfinite
from monitor.turning.settings import (
    ALIVE_QUALITY,
    FACELESS_BATCHES,
    MAX_NETWORKS,
    STABILITY,
    family_of,
    threshold_factor,
)
from monitor.turning.state import (
    dump_early,
    dump_event,
    dump_track,
    load_early,
    load_event,
    load_recoveries,
    load_track,
)
from monitor.turning.summary import summarise
from monitor.turning.track import Track
from monitor.types import TurningPoint

#: Layout of `TurningPointDetector.state`; another one is refused.
STATE_VERSION = 3


class TurningPointDetector:
    """Says when stability, quality and diversity deteriorate (SQD paper, section 4).

    Every metric has a track of its own: damped Holt forecast, robust scale, one-sided CUSUM in
    the bad direction (S up on a log scale, Q and D down). S comes every iteration and is judged
    in blocks of at most 25 values by their high quantile, so that a jump of a few dozen
    iterations is not averaged away. Two of S, Q and D within ten sample batches are a
    ``turning_point``; one alone needs more evidence and is ``stability``, ``quality`` or
    ``diversity``; D alone that has lost half of its effective modes is ``mode_collapse``.
    So is D that crept as far below the best it ever held, which no CUSUM sees, and Q at half of
    its own is ``quality`` (see `crest`).
    Falls of Q, and of D, count once Q has risen (no faces, no modes). What is back at its old
    level is ``recovered``. Losses (``loss.*``), gradient norms (``grad.*``) and S give early
    warnings (see `early`). Differs from the paper, which finds turning points by eye afterwards.

    Deterministic; memory is constant in the number of steps; nothing waits for a metric that
    is missing. After a step back (a resume) baselines survive; evidence and turns of steps
    that are still to come again are dropped, and after a step back to before the first
    judgement a metric is learnt anew. The same step of the same metric again is ignored.

    Args:
        sensitivity: ``low``, ``normal`` or ``high``.

    Raises:
        SettingsError: the sensitivity is none of these.

    Example:
        >>> detector = TurningPointDetector()
        >>> for step in range(40):
        ...     for found in detector.update(step, {"Q": 0.9 if step < 30 else 0.2}):
        ...         print(found.kind, found.step, found.detected_step)
        quality 30 32
    """

    def __init__(self, sensitivity: str = "normal") -> None:
        self._sensitivity = sensitivity
        self._tracks: dict[str, Track] = {}
        factor = threshold_factor(sensitivity)
        self._fusion = Fusion(self._tracks, factor)
        self._early = EarlyWarnings(factor)

    def update(
        self, step: int, values: Mapping[str, float | None], *, epoch: float | None = None
    ) -> list[TurningPoint]:
        """Take the values of one step; any subset of the metrics, in any rhythm.

        Args:
            step: training step; the values of one step may come in several calls.
            values: by metric name. None is skipped; NaN and infinity of S, Q and D, and of a loss
                three in a row, are reported once until the metric recovers; names other than
                ``Q``, ``D``, ``S.<network>``, ``loss.*`` and ``grad.*`` are ignored.
            epoch: as the trainer said it.
        Returns:
            What has been found at this step; nearly always nothing.
        """
        found: list[TurningPoint] = []
        broken: list[str] = []
        for name, value in values.items():
            if value is None:
                continue
            track = self._tracks.get(name) or self._open(name)
            if track is None:
                found += self._feed_scalar(name, step, float(value), epoch)
            elif isfinite(value):
                found += self._feed(track, step, float(value), epoch)
            elif not track.nonfinite:
                track.nonfinite = True
                broken.append(name)
        if broken:
            self._fusion.recoveries.breaks(step, broken)
            found.append(describe_nonfinite(step, broken))
        return found

    def relearn(self, metrics: Iterable[str]) -> None:
        """Forget what these metrics were: they are measured with something else from now on.

        They are learnt anew; nothing waits any more for one that had turned to come back, since
        nobody can tell.
        """
        for name in metrics:
            old = self._tracks.get(name)
            if old is not None:
                new = self._tracks[name] = Track(name, step=old.step, value=old.value)
                new.observed, new.gap, new.nonfinite = old.observed, old.gap, old.nonfinite
                self._fusion.recoveries.let_go(name)

    def summary(self) -> dict[str, Any]:
        """Where every metric stands, fit for JSON; `verdict` makes a sentence of it.

        ``warnings`` are the early warnings that hold: ``kind``, ``step``, ``metrics``; ``broken``
        the losses that are not finite.
        """
        warnings = [
            {"kind": each.kind, "step": each.told, "metrics": list(each.metrics)}
            for each in self._early.open
        ]
        metrics = {name: summarise(track) for name, track in self._tracks.items()}
        return {"metrics": metrics, "warnings": warnings, "broken": self._early.not_finite}

    def state(self) -> dict[str, Any]:
        """Everything it remembers, fit for JSON; `from_state` goes on from there."""
        return {
            "version": STATE_VERSION,
            "sensitivity": self._sensitivity,
            "tracks": {name: dump_track(track) for name, track in self._tracks.items()},
            "event": dump_event(self._fusion.event),
            "raised": dict(self._fusion.raised),
            "recoveries": asdict(self._fusion.recoveries),
            "early": dump_early(self._early),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> "TurningPointDetector":
        """The detector that `state` was taken from.

        Raises:
            StoreError: another version of this program wrote the state.
        """
        if state.get("version") != STATE_VERSION:
            raise StoreError(
                f"turning-point detector state has version {state.get('version')!r}, this program "
                f"reads {STATE_VERSION}; drop the state to start the detector afresh"
            )
        detector = cls(state["sensitivity"])
        for name, track in state["tracks"].items():
            detector._tracks[name] = load_track(track)
        detector._fusion.event = load_event(state["event"])
        detector._fusion.raised.update(state["raised"])
        detector._fusion.recoveries = load_recoveries(state["recoveries"])
        detector._fusion.measure_rhythm()
        detector._early = load_early(state["early"], detector._fusion.factor)
        return detector

    def _open(self, name: str) -> Track | None:
        family = family_of(name)
        if family is None or (family is STABILITY and len(self._tracks) >= MAX_NETWORKS):
            return None
        track = self._tracks[name] = Track(name)
        return track

    def _feed_scalar(
        self, name: str, step: int, value: float, epoch: float | None
    ) -> Iterator[TurningPoint]:
        early, recoveries = self._early, self._fusion.recoveries
        if isfinite(value):
            if name in early.not_finite and (over := recoveries.mends(name, step)) is not None:
                yield over
            yield from early.feed(name, step, value, epoch, self._fusion.batch_steps)
        elif (first := early.breaks(name, step)) is not None:
            recoveries.breaks(first, [name])
            yield describe_nonfinite(first, [name], seen_step=step)

    def _feed(
        self, track: Track, step: int, value: float, epoch: float | None
    ) -> Iterator[TurningPoint]:
        fusion = self._fusion
        if track.step is not None and step < track.step:
            fusion.rewind(step)
            self._early.rewind(step)
        turn = track.turn
        repeated = step == track.step
        evidence = track.feed(step, value, epoch, fusion.batch_steps, self._telling(track, step))
        yield from self._mend(track, step, turn is not None)
        if track.family is not STABILITY:
            fusion.measure_rhythm()
        if evidence or track.turn is not None:
            found = fusion.judge(track, evidence, step)
            if found is not None:
                yield found
        if track.family is not STABILITY and not repeated:
            found = fusion.erosion(track, step)
            if found is not None:
                yield found
        if track.family is STABILITY:
            window = fusion.window_steps
            yield from self._early.feed_stability(track, step, value, self._tracks, window)

    def _mend(self, track: Track, step: int, turned: bool) -> Iterator[TurningPoint]:
        """What is over with the newest value of a metric, which had turned or had not."""
        recoveries, over = self._fusion.recoveries, None
        if track.nonfinite:
            track.nonfinite = False
            if (over := recoveries.mends(track.metric, step)) is not None:
                yield over
        if track.back is not None:
            now = track.recent[-1] if track.family is not STABILITY else exp(track.recent[-1])
            since = track.back.calm_step
            if (over := recoveries.back(track.back.change, now, since, step)) is not None:
                yield over
        elif turned and track.turn is None:
            recoveries.let_go(track.metric)

    def _telling(self, track: Track, step: int) -> bool:
        """Whether the metric means anything yet.

        D of images without faces does not, nor do Q and D of networks that never were trained:
        all samples of one at a mode had a Q of 0.94.
        """
        if step == 0 and track.family is not STABILITY:
            return False
        quality = self._tracks.get("Q") if track.metric == "D" else None
        if quality is None or quality.since is not None:
            return True
        seen = quality.baseline
        return seen.level >= ALIVE_QUALITY or seen.count >= FACELESS_BATCHES
