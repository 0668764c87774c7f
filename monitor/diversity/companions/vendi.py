"""Vendi score: how many different samples there effectively are. Needs no reference."""

import numpy as np

from monitor.diversity.companions.companion import Sample, Score

#: Score per sample above which the number of samples limits it, and not the generator.
MOST_SHARE = 0.5


class Vendi:
    """exp of the entropy of the eigenvalues of K/n, K the cosines between features.

    Friedman and Dieng 2023, "The Vendi score", definition 3.1. From 1, all samples alike, to at
    most min(n, d); comparable only at equal n and embedder.
    """

    name = "vendi"
    metrics = ("D.vendi",)

    def measure(self, sample: Sample) -> dict[str, Score]:
        """1 … min(n, d), without a standard error."""
        features = sample.features
        n = len(features)
        lengths = np.linalg.norm(features, axis=1, keepdims=True)
        # Features of zeros have no direction; they share a new one, so that no sample is lost.
        unit = np.divide(features, lengths, out=np.zeros_like(features), where=lengths > 0)
        shares = np.linalg.svd(unit, compute_uv=False) ** 2 / n
        shares = np.append(shares, (lengths == 0).mean())
        shares = shares[shares > 0]
        value = float(np.exp(-(shares * np.log(shares)).sum()))
        warning = "" if value <= MOST_SHARE * n else (
            f"{n} samples; a score of {value:.3g} needs at least {int(np.ceil(value / MOST_SHARE))}"
        )  # fmt: skip
        return {"D.vendi": Score(value, n, warning=warning)}
