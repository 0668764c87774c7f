"""Entropy estimators in 50 digits, written as their papers print them."""

from collections.abc import Sequence

import mpmath

#: Decimal digits: Chao, Wang and Jost's formula cancels; 50 digits are too many to notice.
DIGITS = 50


def shrinkage(counts: Sequence[int]) -> float:
    """λ of Algorithm 1, clipped to [0, 1]."""
    with mpmath.workdps(DIGITS):
        return float(_shrinkage(counts))


def james_stein_entropy(counts: Sequence[int]) -> float:
    """Algorithm 1 of the SQD paper, in nats."""
    with mpmath.workdps(DIGITS):
        n, m, weight = sum(counts), len(counts), _shrinkage(counts)
        shares = [weight / m + (1 - weight) * mpmath.mpf(c) / n for c in counts]
        return float(-sum(p * mpmath.log(p) for p in shares if p > 0))


def chao_wang_jost_entropy(counts: Sequence[int], digits: int = DIGITS) -> float:
    """Chao, Wang and Jost 2013, eq 7, in nats; digits must exceed the n·log10 A it cancels."""
    with mpmath.workdps(digits):
        n = sum(counts)
        f1, f2 = counts.count(1), counts.count(2)
        seen = sum(
            mpmath.mpf(c) / n * (mpmath.digamma(n) - mpmath.digamma(c))
            for c in counts
            if 1 <= c <= n - 1
        )
        if f2 > 0:
            a = mpmath.mpf(2 * f2) / ((n - 1) * f1 + 2 * f2)
        elif f1 > 0:
            a = mpmath.mpf(2) / ((n - 1) * (f1 - 1) + 2)
        else:
            a = mpmath.mpf(1)
        if a == 1:
            return float(seen)
        partial = sum((1 - a) ** r / r for r in range(1, n))
        return float(seen + mpmath.mpf(f1) / n * (1 - a) ** (1 - n) * (-mpmath.log(a) - partial))


def _shrinkage(counts: Sequence[int]) -> mpmath.mpf:
    n, m = sum(counts), len(counts)
    shares = [mpmath.mpf(c) / n for c in counts]
    # m c − n is a whole number, so that a uniform histogram gives exactly zero.
    denominator = (n - 1) * mpmath.mpf(sum((m * c - n) ** 2 for c in counts)) / (m * n) ** 2
    if denominator == 0:
        return mpmath.mpf(1)
    return min(max((1 - sum(p * p for p in shares)) / denominator, mpmath.mpf(0)), mpmath.mpf(1))
