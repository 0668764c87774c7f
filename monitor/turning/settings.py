"""What is watched, and how strictly: every threshold of the detector in one place."""

from dataclasses import dataclass
from math import inf, log

from monitor.errors import SettingsError

#: Factor on every threshold. At `low` a change needs half as much evidence again.
SENSITIVITIES: dict[str, float] = {"low": 1.5, "normal": 1.0, "high": 0.7}

#: Sample batches within which metrics turn together; epochs, where Q and D come once an epoch.
WINDOW = 10
#: Windows for which the same warning is not repeated.
COOLDOWN_WINDOWS = 2
#: Sample batches within which a jump of S that is over still belongs to a fall of Q or D.
SLACK = 1
#: Blocks of S that make one event while no sample batch has told the spacing (1000 iterations).
WINDOW_BLOCKS = 40
#: Networks watched at most, so that a flood of names cannot use up memory.
MAX_NETWORKS = 64
#: D lower by this many nats means that half of the modes (by effective number e^D) are gone; log Q
#: lower by as much, half of the faces.
HALF_NATS = log(2)
#: Q below this: the generator makes no faces yet, so neither Q nor D can have turned.
ALIVE_QUALITY = 0.2
#: Sample batches after which a Q that never rose is that of data without faces: D then speaks
#: for itself. (With a gradient penalty Q took 25 batches to rise.)
FACELESS_BATCHES = 40


@dataclass(frozen=True, slots=True)
class Family:
    """How one of S, Q, D is watched.

    Attributes:
        name: ``S``, ``Q`` or ``D``.
        kind: what a change of this family alone is called.
        bad: +1 if rising is bad, -1 if falling is.
        alive: level from which a change can mean anything, in the metric's unit (S: natural
            logarithm).
        most: largest possible value, likewise.
        floor: smallest scale, likewise, so that a change too
            small to matter is never significant, however quiet the series.
        supports: smallest change that can confirm another family's, likewise.
        matters: smallest change worth an alert on its own.
        clip: most standard units that one observation counts, so that no single one can raise an
            alarm.
        patience: observations after which evidence that never sufficed is dropped: what creeps
            longer is drift, and the baseline has to follow it.
        warm_up: observations before the first judgement.
        agree: CUSUM threshold, in standard units, for a change that another family confirms.
        alone: the same for a change that nothing else confirms.
        adopt: observations after which a level that never recovered is the new normal.
    """

    name: str
    kind: str
    bad: int
    alive: float
    most: float
    floor: float
    supports: float
    matters: float
    clip: float
    patience: int
    warm_up: int
    agree: float
    alone: float
    adopt: int


#: Floor 0.1: S.G of a healthy run strays by 0.02, yet a tenth is no news. A jump confirms from
#: 1.7-fold on and is worth an alert of its own from fourfold on (seen: 2.4- to 150-fold). A
#: block in the middle of a jump counts 8 units: two blocks are enough. Jumps last a few blocks.
STABILITY = Family(
    name="S",
    kind="stability",
    bad=+1,
    alive=-inf,
    most=inf,
    floor=0.1,
    supports=log(1.7),
    matters=log(4),
    clip=8,
    patience=8,
    warm_up=24,
    agree=8,
    alone=12,
    adopt=80,
)
#: Floor 0.03: measured noise of Q at n = 250. Two bad batches confirm, three tell alone. Real
#: falls took ten to fifteen batches.
QUALITY = Family(
    name="Q",
    kind="quality",
    bad=-1,
    alive=ALIVE_QUALITY,
    most=1.0,
    floor=0.03,
    supports=0.1,
    matters=0.1,
    clip=5,
    patience=16,
    warm_up=8,
    agree=6,
    alone=10,
    adopt=40,
)
#: Floor 0.08: measured noise of D at n = 250; 0.3 nats are a quarter of the effective modes.
DIVERSITY = Family(
    name="D",
    kind="diversity",
    bad=-1,
    alive=-inf,
    most=inf,
    floor=0.08,
    supports=0.3,
    matters=0.3,
    clip=5,
    patience=16,
    warm_up=8,
    agree=6,
    alone=10,
    adopt=40,
)


def family_of(metric: str) -> Family | None:
    """The family that a metric belongs to; None for what is not watched.

    Only whole networks from step to step speak for S: per-tensor angles (``S.G/conv1``) and
    angles between epochs (``S.G@epoch``) would say the same again.
    """
    if metric == "Q":
        return QUALITY
    if metric == "D":
        return DIVERSITY
    if metric.startswith("S.") and "/" not in metric and not metric.endswith("@epoch"):
        return STABILITY
    return None


def threshold_factor(sensitivity: str) -> float:
    """Factor on the thresholds.

    Raises:
        SettingsError: the setting is not ``low``, ``normal`` or ``high``.
    """
    try:
        return SENSITIVITIES[sensitivity]
    except KeyError:
        known = ", ".join(SENSITIVITIES)
        raise SettingsError(f"sensitivity is {sensitivity!r}; it must be one of {known}") from None
