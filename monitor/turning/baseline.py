"""What a metric would do next if nothing happened: damped trend and robust scale."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, sqrt
from statistics import fmean

from monitor.turning.settings import Family

#: Weight of a new observation in the level. Slow, so that a fall over ten to fifteen batches
#: stays visible as a distance from the forecast.
LEVEL_RATE = 0.1
#: Weight of a correction of the level in the trend.
TREND_RATE = 0.2
#: Share of the trend that survives an observation: no trend is believed for ever.
DAMPING = 0.9
#: Standard units by which one observation may pull the level: outliers are held off.
PULL = 2.5
#: Observations that decide together: the scale's local level, and whether an improvement stays.
RECENT = 3
#: Change of log(scale) per observation in the search for the median of |residual|.
SCALE_RATE = 0.05
#: Median of |x| of a standard normal variable: MAD / 0.6745 is a standard deviation.
NORMAL_MAD = 0.6745
#: Standard deviation of x − mean of the `RECENT` before it, for white noise of deviation 1.
LOCAL_DEVIATION = sqrt(1 + 1 / RECENT)
#: The scale's search stays above this share of the floor, or it could not come back.
SCALE_DEPTH = 0.25


@dataclass(slots=True)
class Baseline:
    """Damped Holt forecast (Gardner and McKenzie, 1985) with a MAD-like scale, both online.

    Differs from Holt's method in four ways. An observation is clipped before it pulls the
    level. Where the last three observations are all far better than forecast, the level jumps
    to the least of them, so that learning and learning-rate steps are followed at once. The
    scale is that of the distance to the three observations before, which no slow trend or lag
    inflates; it climbs or sinks by a fixed ratio as that distance is above or below its median,
    so that an outlier of any size moves it equally little.
    When the warm-up ends, a level that the last three observations are all far worse than is
    replaced by the best of them.

    Attributes:
        count: observations learnt.
        level: smoothed value, in the observation's unit.
        trend: its expected change per observation.
        scale: robust standard deviation, before the floor.
    """

    count: int = 0
    level: float = 0.0
    trend: float = 0.0
    scale: float = 0.0

    def forecast(self, family: Family) -> float:
        """The value expected next, not above what the family can be."""
        return min(family.most, self.level + DAMPING * self.trend)

    def sigma(self, family: Family) -> float:
        """Robust standard deviation, not under the family's floor."""
        return max(self.scale, family.floor)

    def learn(self, latest: Sequence[float], family: Family, speed: float = 1.0) -> None:
        """Move towards the newest observation.

        Args:
            latest: the newest observation last, before it up to `RECENT` older ones (S: log).
            family: gives the bad direction and the floor.
            speed: 1 in calm times, less while a change is suspected.
        """
        *before, value = latest
        self.count += 1
        if self.count == 1:
            self.level, self.scale = value, family.floor
            return
        forecast, sigma = self.forecast(family), self.sigma(family)
        pull = max(-PULL * sigma, min(PULL * sigma, value - forecast))
        rate = speed * max(LEVEL_RATE, 1 / self.count)
        self.level = forecast + rate * pull
        self.trend = DAMPING * self.trend + TREND_RATE * rate * pull
        if len(latest) >= RECENT:
            self._follow(latest[-RECENT:], family)
        self._rescale(abs(value - fmean(before)), family, speed)

    def hold(self, level: float) -> None:
        """Stand still: what was before a turn is what recovery is measured against."""
        self.level, self.trend = level, 0.0

    def _follow(self, latest: Sequence[float], family: Family) -> None:
        """What is far from the forecast three times is the level: where it is better; where it is
        worse only as the warm-up ends, since what was better early in it is nothing to fall from.
        """
        best, *_, worst = sorted(latest, key=lambda value: value * family.bad)
        forecast, far = self.forecast(family), PULL * self.sigma(family)
        if (forecast - worst) * family.bad > far:
            self.level, self.trend = worst, 0.0
        elif self.count == family.warm_up and (best - forecast) * family.bad > far:
            self.level, self.trend = best, 0.0

    def _rescale(self, distance: float, family: Family, speed: float) -> None:
        step = speed * max(SCALE_RATE, 1 / self.count)
        larger = distance > NORMAL_MAD * LOCAL_DEVIATION * self.scale
        self.scale *= exp(step if larger else -step)
        self.scale = max(self.scale, SCALE_DEPTH * family.floor)
