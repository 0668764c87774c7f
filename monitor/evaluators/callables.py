"""Evaluators that are any Python callable: ``python:module:object``."""

import hashlib
import importlib
import sys
from collections.abc import Callable
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.errors import EvaluatorError
from monitor.evaluators.patience import Patience
from monitor.protocol import Features, Samples

#: What runs it, in place of an onnxruntime provider.
PROVIDER = "python"


class _Foreign:
    """A callable under its name, and what a reference is bound to.

    Args:
        target: ``module:object``.
        name: as it was asked for.
        patience: times its calls.

    Raises:
        EvaluatorError: it cannot be imported or called.
    """

    provider = PROVIDER

    def __init__(self, target: str, name: str, patience: Patience) -> None:
        self.name = name
        self.settings: dict[str, Any] = {}
        self._patience = patience
        self._call, self.sha256 = load_callable(target)

    def _answer(self, samples: Samples, rank: int) -> NDArray[np.floating]:
        with self._patience.during(self.name):
            return _answer(self.name, self._call, samples, rank)


class CallableScores(_Foreign):
    """Q is the mean of what a callable gives: ``samples -> (n,)``, 0 … 1."""

    def score(self, samples: Samples) -> NDArray[np.float64]:
        """(n,) scores."""
        return self._answer(samples, rank=1).astype(np.float64)


class CallableFeatures(_Foreign):
    """Features that are what a callable gives: ``samples -> (n, d)``."""

    aligns = False
    head = None
    dimension = None

    def features(self, samples: Samples) -> Features:
        """(n, d) float32."""
        return Features(self._answer(samples, rank=2).astype(np.float32))


def load_callable(target: str) -> tuple[Callable[[Samples], Any], str]:
    """The object of ``module:object``, and the SHA-256 of its name and the module's file.

    Modules are looked for in the working directory too, as ``python -m`` does.

    Raises:
        EvaluatorError: it cannot be imported or called.
    """
    module_name, _, path = target.partition(":")
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        module = importlib.import_module(module_name)
        found = attrgetter(path)(module)
    except Exception as error:  # importing runs foreign code, which may raise anything
        raise EvaluatorError(f"python:{target} cannot be imported: {_told(error)}") from error
    if not callable(found):
        raise EvaluatorError(f"python:{target} is a {type(found).__name__}, not a callable")
    digest = hashlib.sha256(path.encode())
    if file := getattr(module, "__file__", None):
        digest.update(Path(file).read_bytes())
    return found, digest.hexdigest()


def _answer(
    name: str, call: Callable[[Samples], Any], samples: Samples, rank: int
) -> NDArray[np.floating]:
    """What the callable says of the samples, checked."""
    try:
        given = call(samples)
        # A tensor, perhaps on a GPU.
        answer = np.asarray(given.detach().cpu() if hasattr(given, "detach") else given)
    except Exception as error:  # foreign code may raise anything
        raise EvaluatorError(f"{name} raised {_told(error)}") from error
    fits = answer.ndim == rank and len(answer) == len(samples) and answer.size > 0
    if not fits or answer.dtype.kind not in "fiub":
        wanted = f"({len(samples)},)" if rank == 1 else f"({len(samples)}, d)"
        raise EvaluatorError(
            f"{name} gives {answer.dtype} {answer.shape} for {len(samples)} samples; numbers of "
            f"shape {wanted} are needed"
        )
    if not np.isfinite(answer).all():
        raise EvaluatorError(f"{name} gives a number that is not finite")
    return answer


def _told(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())
