"""Inception score: how sure a classifier is of each sample, and how many classes it sees."""

import numpy as np
from numpy.typing import NDArray

from monitor.diversity.companions.companion import Sample, Score

#: Samples per class seen below which the score is too low by more than 5%: with s classes that it
#: is sure of, by about (s − 1)/2n of itself.
LEAST_PER_CLASS = 10


class InceptionScore:
    """exp of the mean over the samples of KL(p(y|x) ‖ p(y)), p(y) being the mean of p(y|x).

    Salimans et al. 2016, "Improved techniques for training GANs", section 4, over the whole batch
    as one split. p(y|x) is the softmax of the features times the embedder's head: without biases,
    as TensorFlow's graph of the paper had it.
    """

    name = "is"
    metrics = ("D.is",)

    def measure(self, sample: Sample) -> dict[str, Score]:
        """1 … min(n, k) for k classes; standard error by the delta method.

        Raises:
            EvaluatorError: the embedder has no classes, or the features lost their lengths.
        """
        logs = _log_softmax(sample.logits())
        n = len(logs)
        shares = np.exp(logs)
        # A class of probability 0 adds nothing, whatever its logarithm.
        mean = np.log(np.maximum(shares.mean(axis=0), np.finfo(np.float64).tiny))
        divergences = (shares * (logs - mean)).sum(axis=1)
        value = float(np.exp(divergences.mean()))
        stderr = float(value * divergences.std(ddof=1) / np.sqrt(n)) if n > 1 else None
        least = int(np.ceil(LEAST_PER_CLASS * value))
        few = f"{n} samples; a score of {value:.3g} needs at least {least}" if n < least else ""
        return {"D.is": Score(value, n, stderr, few)}


def _log_softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    shifted = logits - logits.max(axis=1, keepdims=True)
    logs: NDArray[np.float64] = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return logs
