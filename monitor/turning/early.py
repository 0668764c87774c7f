"""Early warnings: what losses, gradient norms and S say before anything turns.

A warning is no turning point: it names a state in which trainings have turned, and is over when
the state is. How early and how often wrongly each comes is measured in benchmarks/README.md.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from monitor.turning import sayings
from monitor.turning.block import Observation
from monitor.turning.condition import Condition
from monitor.turning.drift import APART, RISEN, STILL_PUSHES, TOGETHER_AGAIN, Drift
from monitor.turning.gauge import Gauge
from monitor.turning.track import Track
from monitor.types import TurningPoint

SATURATED, STARVED, OSCILLATING = "discriminator_saturated", "generator_starved", "oscillating"
DIVERGENCE, STALLED = "divergence", "stalled"
#: Kinds of the conditions that this module tells.
KINDS = (SATURATED, STARVED, OSCILLATING, DIVERGENCE, STALLED)
#: What is read, beside S.
LOSS, GRADIENT = "loss.", "grad."
SCALARS = (LOSS, GRADIENT)
#: Scalars watched at most, so that a flood of names cannot use up memory.
MAX_GAUGES = 16
#: Blocks for which a state must hold, and be over: two sample batches.
BLOCKS_NEEDED = 16
#: The discriminator is saturated while its loss is under this share of its usual size (recorded:
#: some 2,000 iterations before one collapse, after another, in none of seven healthy runs).
SATURATED_SHARE = 0.03
#: The generator starves under this share of its usual gradient; while the discriminator is
#: saturated, under the larger one. (A healthy mixture sank to 4%.)
STARVED_SHARE, STARVED_SHARE_SATURATED = 0.02, 0.1
#: Factor on a share from which on the state is over.
OVER = 2.0
#: Jumps of one network's S within ten sample batches that make an oscillation.
JUMPS = 3
#: Values of a loss in a row that are NaN or infinite before it is told: mixed precision skips a
#: step now and then.
NOT_FINITE = 3
#: Losses that stay within this share of their usual size move nowhere.
RESTLESS_SHARE = 0.1


@dataclass(slots=True)
class EarlyWarnings:
    """All early warnings of one run; constant in size.

    Attributes:
        factor: on how long a state must hold, from the sensitivity.
        gauges: losses and gradient norms, by name.
        drifts: what is slow in S, by name.
        conditions: by kind.
        broken: losses whose latest values were not finite: how many, and the step of the first.
    """

    factor: float
    gauges: dict[str, Gauge] = field(default_factory=dict)
    drifts: dict[str, Drift] = field(default_factory=dict)
    conditions: dict[str, Condition] = field(
        default_factory=lambda: {kind: Condition(kind) for kind in KINDS}
    )
    broken: dict[str, tuple[int, int]] = field(default_factory=dict)

    def breaks(self, name: str, step: int) -> int | None:
        """Take one value of a loss that is not finite; the first step of those if it is time to
        tell. Other names are ignored."""
        known = name in self.broken or len(self.broken) < MAX_GAUGES
        if not (known and name.startswith(LOSS)):
            return None
        count, first = self.broken.get(name, (0, step))
        self.broken[name] = count + 1, first
        return first if count + 1 == NOT_FINITE else None

    @property
    def not_finite(self) -> list[str]:
        """Losses of which it was told."""
        return [name for name, (count, _) in self.broken.items() if count >= NOT_FINITE]

    def feed(
        self, name: str, step: int, value: float, epoch: float | None, batch_steps: float
    ) -> Iterator[TurningPoint]:
        """Take one finite loss or gradient norm; other names are ignored."""
        self.broken.pop(name, None)
        gauge = self.gauges.get(name) or self._open(name)
        if gauge is None:
            return
        if gauge.step is not None and step < gauge.step:
            self.rewind(step)
        seen = gauge.feed(step, value, epoch, batch_steps)
        if seen is None:
            return
        if name == "loss.D":
            yield from self._judge_saturation(gauge, seen)
        if name == "grad.G":
            yield from self._judge_starvation(gauge, seen)

    def feed_stability(
        self, track: Track, step: int, value: float, tracks: Mapping[str, Track], window: float
    ) -> Iterator[TurningPoint]:
        """Take one angle that the track has taken.

        Args:
            track: of that network.
            step: of the angle.
            value: in radians.
            tracks: of all metrics.
            window: ten sample batches, in steps.
        """
        drift = self.drifts.setdefault(track.metric, Drift())
        drift.push(step, value)
        yield from self._judge_standstill(track.metric, drift, step)
        if track.observed == step != drift.observed:
            drift.take(step, track.recent[-1], track.baseline.sigma(track.family))
            yield from self._judge_divergence(tracks, step)
            yield from self._judge_oscillation(track, tracks, step, window)

    def rewind(self, step: int) -> None:
        """The run went back to this step."""
        for condition in self.conditions.values():
            condition.rewind(step)
        self.broken = {name: seen for name, seen in self.broken.items() if seen[1] <= step}

    @property
    def open(self) -> list[Condition]:
        """Warnings that hold."""
        return [each for each in self.conditions.values() if each.told is not None]

    def _open(self, name: str) -> Gauge | None:
        known = name.startswith(SCALARS) and len(self.gauges) < MAX_GAUGES
        if not known and name not in ("loss.D", "grad.G"):
            return None
        gauge = self.gauges[name] = Gauge(name)
        return gauge

    @property
    def _needed(self) -> int:
        return round(BLOCKS_NEEDED * self.factor)

    def _judge_saturation(self, loss: Gauge, seen: Observation) -> Iterator[TurningPoint]:
        share = loss.share if loss.floored else None
        low = share is not None and share < SATURATED_SHARE
        over = share is None or share >= OVER * SATURATED_SHARE
        say = partial(sayings.saturated, loss)
        yield from self._tell(SATURATED, low, over, seen, self._needed, ("loss.D",), say)

    def _judge_starvation(self, gradient: Gauge, seen: Observation) -> Iterator[TurningPoint]:
        share = gradient.share
        saturated = self.conditions[SATURATED].told is not None
        bound = STARVED_SHARE_SATURATED if saturated else STARVED_SHARE
        low, over = share is not None and share < bound, share is None or share >= OVER * bound
        say = partial(sayings.starved, gradient)
        yield from self._tell(STARVED, low, over, seen, self._needed, ("grad.G",), say)

    def _judge_divergence(self, tracks: Mapping[str, Track], step: int) -> Iterator[TurningPoint]:
        if len(self.drifts) != 2:
            return
        risen, other = sorted(self.drifts, key=lambda name: -self.drifts[name].moved)
        up, down = self.drifts[risen].moved, self.drifts[other].moved
        # Of a jump that lasts, an alert has told already.
        jumped = any(tracks[name].turn is not None for name in self.drifts)
        apart = up - down >= APART and up >= RISEN and not jumped
        over = up - down < TOGETHER_AGAIN
        say = partial(sayings.apart, risen, up, other, down)
        seen = Observation(step, step, None, 0.0, 0.0)
        yield from self._tell(DIVERGENCE, apart, over, seen, self._needed, (risen, other), say)

    def _judge_oscillation(
        self, track: Track, tracks: Mapping[str, Track], step: int, window: float
    ) -> Iterator[TurningPoint]:
        jumps = track.jumps_since(step - window)
        others = (each.jumps_since(step - window) for each in tracks.values() if each is not track)
        over = not jumps and not any(others)
        condition = self.conditions[OSCILLATING]
        if condition.told is None and len(jumps) < JUMPS:
            return
        first = jumps[0].onset if jumps else step
        seen = Observation(first, step, None, 0.0, 0.0)
        say = partial(sayings.oscillating, track.metric, jumps)
        holds = len(jumps) >= JUMPS
        yield from self._tell(OSCILLATING, holds, over, seen, 1, (track.metric,), say)

    def _judge_standstill(self, network: str, drift: Drift, step: int) -> Iterator[TurningPoint]:
        condition = self.conditions[STALLED]
        if condition.told is None and drift.still < round(STILL_PUSHES * self.factor):
            return
        if condition.told is not None and network not in condition.metrics:
            return
        losses = [gauge for name, gauge in self.gauges.items() if name.startswith(LOSS)]
        still = bool(losses) and all(each.restless <= RESTLESS_SHARE for each in losses)
        began = drift.still_since if drift.still else step
        seen = Observation(began, step, None, 0.0, 0.0)
        names = (network, *(each.name for each in losses))
        say = partial(sayings.stalled, network, drift.still, [each.name for each in losses])
        yield from self._tell(STALLED, still, drift.still == 0, seen, 1, names, say)

    def _tell(
        self,
        kind: str,
        holds: bool,
        over: bool,
        seen: Observation,
        needed: int,
        metrics: Sequence[str],
        say: Callable[[str], str],
    ) -> Iterator[TurningPoint]:
        condition = self.conditions[kind]
        news = condition.see(holds, over, seen.step, seen.first_step, needed)
        if news == "begins":
            condition.metrics = tuple(metrics)
            assert condition.told is not None
            text = say(sayings.since_step(condition.told))
            yield TurningPoint(condition.told, seen.step, kind, condition.metrics, "warning", text)
        elif news == "ends":
            assert condition.told is not None
            yield sayings.ended(kind, condition.told, condition.ended, seen.step, condition.metrics)
            condition.close()
