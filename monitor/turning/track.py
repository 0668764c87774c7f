"""One metric on its way: values to observations, observations to evidence of a change."""

from dataclasses import dataclass, field
from math import exp, log
from statistics import fmean, median

from monitor.turning.baseline import RECENT, Baseline
from monitor.turning.block import Block, Observation
from monitor.turning.change import Change, Turn
from monitor.turning.crest import Crest
from monitor.turning.cusum import Cusum
from monitor.turning.longrun import LongRun
from monitor.turning.settings import HALF_NATS, Family, family_of

#: From this share of the lower threshold on, the baseline learns at this speed.
SUSPECT_SHARE, SUSPECT_SPEED = 0.5, 0.2
#: Weight of a new gap between observations in their typical distance.
GAP_RATE = 0.2
#: Suspicions kept a metric.
SUSPICIONS = 8
#: Larger values than this cannot be a metric's; held here, their differences stay finite.
LARGEST = 1e12


@dataclass(slots=True)
class Track:
    """Everything remembered about one metric; constant in size.

    Attributes:
        metric: its name.
        block: values of S that wait to become one observation.
        baseline: what it would do next if nothing happened.
        cusum: evidence that something did.
        crest: the best level that it held; of Q and D.
        step: step of the latest point, None before the first.
        value: its value.
        observed: step of the latest observation, None before the first.
        gap: typical steps between observations, 0 while unknown.
        recent: the last observations, one more than `RECENT` (S: log).
        slow: long-run mean of the observations, to tell the trend by.
        since: step of the first judgement, None before.
        suspicions: the latest changes that another family could confirm, newest last. Several,
            because metrics may be fed one after the other when a watcher catches up.
        turn: where it turned, until it recovers.
        mended: since when it was back from its latest turn, None before the first.
        back: the turn from which the latest observation brought it back; None after any other.
        frozen: the baseline is held at the level before the turn.
        nonfinite: the latest value was NaN or infinite.
    """

    metric: str
    block: Block = field(default_factory=Block)
    baseline: Baseline = field(default_factory=Baseline)
    cusum: Cusum = field(default_factory=Cusum)
    crest: Crest = field(default_factory=Crest)
    step: int | None = None
    value: float | None = None
    observed: int | None = None
    gap: float = 0.0
    recent: list[float] = field(default_factory=list)
    slow: LongRun = field(default_factory=LongRun)
    since: int | None = None
    suspicions: list[Change] = field(default_factory=list)
    turn: Turn | None = None
    mended: int | None = None
    back: Turn | None = None
    frozen: bool = False
    nonfinite: bool = False
    family: Family = field(init=False)

    def __post_init__(self) -> None:
        family = family_of(self.metric)
        assert family is not None, self.metric
        self.family = family

    def feed(
        self, step: int, value: float, epoch: float | None, batch_steps: float, telling: bool
    ) -> float:
        """Take one finite value.

        Args:
            step: training step; the one of the latest value again is the same point again and
                changes nothing, an earlier one is a resume (see `_rewind`).
            value: in the metric's unit.
            epoch: as the trainer said it.
            batch_steps: typical steps between sample batches, 0 while unknown.
            telling: False while the value means nothing yet; nothing is learnt from it then.
        Returns:
            Evidence of a change (the CUSUM's sum); 0 if there is none or nothing new.
        """
        self.back = None
        if self.step is not None and step <= self.step:
            if step == self.step:
                return 0.0
            self._rewind(step)
        self.step, self.value = step, value
        if self.family.bad < 0:
            held = max(-LARGEST, min(LARGEST, value))
            return self._observe(Observation(step, step, epoch, held, held), telling)
        # An angle of 0 says that the network was not trained in this step (a WGAN's generator
        # in four of five): no observation of its direction.
        if value <= 0 or not self.block.add(step, log(value)):
            return 0.0
        return self._observe(self.block.close(step, epoch, batch_steps), telling)

    def _observe(self, observation: Observation, telling: bool) -> float:
        if not observation.alike:
            self._relearn()
        self._note(observation)
        self._follow_turn(observation)
        if self.frozen or not telling:
            return 0.0
        family, baseline = self.family, self.baseline
        if self._warm():
            self.since = observation.step if self.since is None else self.since
            self.cusum.add(observation, baseline.forecast(family), baseline.sigma(family), family)
        else:
            self.cusum.reset()
        suspected = self.cusum.sum >= SUSPECT_SHARE * family.agree
        baseline.learn(self.recent, family, SUSPECT_SPEED if suspected else 1.0)
        return self.cusum.sum

    def _warm(self) -> bool:
        """Whether enough is learnt to judge, and Q has risen far enough to fall."""
        family, baseline = self.family, self.baseline
        paced = self.block.paced or family.bad < 0
        return paced and baseline.count >= family.warm_up and baseline.level >= family.alive

    def _note(self, observation: Observation) -> None:
        step, value = observation.step, observation.value
        if self.observed is not None:
            gap = step - self.observed
            self.gap = self.gap + GAP_RATE * (gap - self.gap) if self.gap else float(gap)
        self.observed = step
        self.recent = [*self.recent[-RECENT:], value]
        self.slow.add(value)

    def _follow_turn(self, seen: Observation) -> None:
        turn, family = self.turn, self.family
        if turn is None:
            return
        if turn.recovers(seen.value, seen.first_step, family.bad, self.baseline.sigma(family)):
            self.turn, self.back, self.mended = None, turn, turn.calm_step
            if self.frozen:
                self.frozen = False
                self.cusum.reset()
        elif turn.age >= family.adopt:
            if self.frozen:
                self._relearn()
            if not (turn.grave and family.bad < 0):
                self.turn = None

    def _relearn(self) -> None:
        self.baseline = Baseline()
        self.cusum.reset()
        self.frozen = False
        self.slow.count = 0

    def _rewind(self, step: int) -> None:
        """The run went back: the evidence is of a past undone, but the baseline still holds.

        A turn that it has not had yet is undone. Where it went back to before the first
        judgement, all is learnt anew.
        """
        self.block.drop()
        self.cusum.reset()
        self.suspicions = [change for change in self.suspicions if change.step <= step]
        self.observed = None
        self.mended = None if self.mended is None or self.mended > step else self.mended
        self.crest.rewind(step)
        if self.since is None or step < self.since:
            self._relearn()
            self.crest = Crest()
            self.since = self.turn = None
        elif self.turn is not None and step < self.turn.change.onset:
            self.turn, self.frozen = None, False
        elif self.turn is not None:
            self.turn.calm = 0

    @property
    def risen(self) -> bool:
        """Whether this metric is, or was judged to be, at a level from which it can fall."""
        latest = self.recent[-RECENT:]
        rose = len(latest) == RECENT and median(latest) >= self.family.alive
        return self.since is not None or rose

    @property
    def extent(self) -> float:
        """How far the metric has gone in the bad direction, in the observation's unit.

        Of Q and D the mean of two observations: one alone may be an outlier.
        """
        if self.family.bad > 0:
            return self.cusum.extreme - self.cusum.before
        return self.cusum.before - fmean(self.recent[-2:])

    def suspect(self, step: int) -> Change:
        """The change that the evidence speaks of, as of now; another family may confirm it."""
        assert self.cusum.onset is not None
        family, before = self.family, self.cusum.before
        after = self.cusum.extreme if family.bad > 0 else min(self.recent[-2:])
        units = round((after - before) * family.bad / self.baseline.sigma(family), 1)
        if family.bad > 0:
            before, after = exp(before), exp(after)
        onset = self.cusum.onset
        change = Change(self.metric, family.name, onset, step, before, after, units)
        older = [known for known in self.suspicions if known.onset < onset]
        self.suspicions = [*older[1 - SUSPICIONS :], change]
        return change

    def jumps_since(self, step: float) -> list[Change]:
        """The jumps of S that were still seen after this step, oldest first."""
        rising = self.family.bad > 0
        return [change for change in self.suspicions if rising and change.step >= step]

    def confirm(self, change: Change, grave: bool) -> None:
        """Note a turn; a jump of S that is over already is nothing to recover from."""
        if self.cusum.onset == change.onset and not self.frozen:
            level = self.cusum.before if self.turn is None else self.turn.level
            way = abs(self.recent[-1] - level)
            grave |= self.turn is not None and self.turn.grave
            self._hold(Turn(change, level, way), self.cusum.before)
        if self.turn is not None:
            self.turn.grave |= grave

    def _hold(self, turn: Turn, level: float) -> None:
        """Turn; the baseline stands still at the level until the metric comes back."""
        self.baseline.hold(level)
        self.turn, self.frozen = turn, True

    def erodes(self, step: int) -> Change | None:
        """The loss of half of the faces or modes, bit by bit, once: the metric turns with it."""
        crest, turn, modes = self.crest, self.turn, self.metric == "D"
        if not crest.feed(self.metric, step, self.recent[-1]) or self.since is None:
            return None
        change = crest.fall(self.metric, step, self.baseline.sigma(self.family))
        if turn is not None and (turn.collapsed or turn.grave or not modes):
            return None
        way = change.before - change.after
        self._hold(Turn(change, change.before, way, modes, modes), change.before)
        return change

    @property
    def halved(self) -> bool:
        """Whether this is D and half of the effective modes are gone, by its recent median."""
        level = self.cusum.before if self.turn is None else self.turn.level
        return self.metric == "D" and level - median(self.recent[-RECENT:]) >= HALF_NATS
