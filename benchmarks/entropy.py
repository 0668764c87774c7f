"""Bias of the entropies that D and `D.cwj` are, on distributions whose entropy is known.

    python -m benchmarks.entropy [--modes 10177] [--samples 2000] [--batches 200]

Prints the table of docs/metrics.md; seconds, and no timing.
"""

import argparse

import numpy as np
from numpy.typing import NDArray

from benchmarks.hooks.report import table
from monitor.diversity import chao_wang_jost_entropy, james_stein_entropy

#: Of the draws.
SEED = 0

Shares = NDArray[np.float64]


def main() -> None:
    """Draw, estimate, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.entropy", description=__doc__)
    parser.add_argument("--modes", type=int, default=10_177, help="m; default CelebA's identities")
    parser.add_argument("--samples", type=int, default=2000, help="n, of each batch")
    parser.add_argument("--batches", type=int, default=200, help="of each distribution")
    options = parser.parse_args()
    header = ("true distribution", "entropy", "D (James–Stein)", "`D.cwj` (Chao–Wang–Jost)")
    rows = [
        [name, f"{entropy(shares):.3f}", *biases(shares, options.samples, options.batches)]
        for name, shares in distributions(options.modes).items()
    ]
    print(table(header, rows))


def distributions(modes: int) -> dict[str, Shares]:
    """(m,) shares of each mode, by what they are called."""
    places = np.arange(modes)
    return {
        f"uniform over all {modes:,}": np.full(modes, 1 / modes),
        "Zipf": 1 / (places + 1) / (1 / (places + 1)).sum(),
        "1000 equal modes": np.where(places < 1000, 1 / 1000, 0.0),
        "100 equal modes": np.where(places < 100, 1 / 100, 0.0),
        "one mode with 99%": np.where(places == 0, 0.99, 0.01 / (modes - 1)),
    }


def entropy(shares: Shares) -> float:
    """−Σ p ln p, nats."""
    there = shares[shares > 0]
    return float(-(there * np.log(there)).sum())


def biases(shares: Shares, samples: int, batches: int) -> list[str]:
    """Mean and standard deviation over batches of each estimator less the truth."""
    drawn = np.random.default_rng(SEED).multinomial(samples, shares, size=batches)
    cells = []
    for estimator in (james_stein_entropy, chao_wang_jost_entropy):
        apart = np.array([estimator(counts) for counts in drawn]) - entropy(shares)
        cells.append(f"{apart.mean():+.3f} ± {apart.std(ddof=1):.3f}")
    return cells


if __name__ == "__main__":
    main()
