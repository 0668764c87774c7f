"""The weight angle in 50 digits, by the definition: slow, and nothing can go wrong."""

from collections.abc import Iterable

import mpmath

#: Decimal digits: the cosine of 1e-7 rad differs from 1 in the fifteenth.
DIGITS = 50


def weight_angle(previous: Iterable[float], current: Iterable[float]) -> float:
    """∠(w, w') = arccos(w·w' / |w||w'|), in radians."""
    with mpmath.workdps(DIGITS):
        w = [mpmath.mpf(float(x)) for x in previous]
        v = [mpmath.mpf(float(x)) for x in current]
        cosine = mpmath.fdot(w, v) / mpmath.sqrt(mpmath.fdot(w, w) * mpmath.fdot(v, v))
        return float(mpmath.acos(min(max(cosine, -1), 1)))
