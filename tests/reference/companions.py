"""The companions of D as their papers print them: loops over pairs, matrices as they stand."""

import math
from collections.abc import Sequence

import numpy as np

Rows = Sequence[Sequence[float]]


def prdc(real: Rows, made: Rows, k: int) -> tuple[float, float, float, float]:
    """Precision, recall, density and coverage (Naeem et al. 2020, eqs 3–9)."""
    real_radius = [_radius(i, real, k) for i in range(len(real))]
    made_radius = [_radius(j, made, k) for j in range(len(made))]
    n, r = len(made), len(real)
    precision = sum(
        any(math.dist(made[j], real[i]) < real_radius[i] for i in range(r)) for j in range(n)
    )
    recall = sum(
        any(math.dist(real[i], made[j]) < made_radius[j] for j in range(n)) for i in range(r)
    )
    density = sum(math.dist(made[j], real[i]) < real_radius[i] for i in range(r) for j in range(n))
    coverage = sum(
        any(math.dist(made[j], real[i]) < real_radius[i] for j in range(n)) for i in range(r)
    )
    return precision / n, recall / r, density / (k * n), coverage / r


def _radius(place: int, rows: Rows, k: int) -> float:
    """Distance to the k-th nearest other row."""
    others = (math.dist(rows[place], row) for i, row in enumerate(rows) if i != place)
    return sorted(others)[k - 1]


def kid(real: Rows, made: Rows, scale: float) -> float:
    """Unbiased MMD² with the cubic kernel (Bińkowski et al. 2018, eq 4)."""

    def kernel(x: Sequence[float], y: Sequence[float]) -> float:
        return (math.fsum(a * b for a, b in zip(x, y, strict=True)) / scale + 1) ** 3

    def within(rows: Rows) -> float:
        pairs = [kernel(x, y) for i, x in enumerate(rows) for j, y in enumerate(rows) if i != j]
        return math.fsum(pairs) / len(pairs)

    across = [kernel(x, y) for x in real for y in made]
    return within(real) + within(made) - 2 * math.fsum(across) / len(across)


def kid_stderr(real: Rows, made: Rows, scale: float) -> float:
    """Jackknife: each sample left out in turn."""
    each = [kid(real, [*made[:i], *made[i + 1 :]], scale) for i in range(len(made))]
    mean = math.fsum(each) / len(each)
    return math.sqrt((len(each) - 1) / len(each) * math.fsum((x - mean) ** 2 for x in each))


def frechet(real: Rows, made: Rows) -> float:
    """Heusel et al. 2017, eq 6; tr (Σ Σ')^½ by the eigenvalues of the product."""
    a, b = np.array(real), np.array(made)
    first, second = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = np.sqrt(np.linalg.eigvals(first @ second).astype(complex)).real.sum()
    shift = ((a.mean(axis=0) - b.mean(axis=0)) ** 2).sum()
    return float(shift + np.trace(first) + np.trace(second) - 2 * root)


def vendi(made: Rows) -> float:
    """Friedman and Dieng 2023, eq 1, from the n × n matrix of cosines."""
    lengths = [math.hypot(*x) for x in made]
    cosines = [
        [math.fsum(a * b for a, b in zip(x, y, strict=True)) / (p * q) for y, q in
         zip(made, lengths, strict=True)]
        for x, p in zip(made, lengths, strict=True)
    ]  # fmt: skip
    values = np.linalg.eigvalsh(np.array(cosines) / len(made))
    return math.exp(-math.fsum(v * math.log(v) for v in values.tolist() if v > 0))
