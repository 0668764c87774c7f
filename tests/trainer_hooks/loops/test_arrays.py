"""Trainers without torch: plain NumPy, and arrays of libraries that only speak a protocol."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from monitor.stability import weight_angle
from tests.trainer_hooks.conftest import Start
from tests.trainer_hooks.mail import Mail

ITERATIONS, SAMPLES = 6, 10


class ByArray:
    """Stands for JAX's arrays: immutable, and readable by `__array__` alone."""

    def __init__(self, values: Any) -> None:
        self._values = np.array(values, np.float32)
        self._values.flags.writeable = False

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return self._values


class ByDlpack:
    """... by `__dlpack__` alone."""

    def __init__(self, values: Any) -> None:
        # NumPy itself exports nothing that is read-only.
        self._values = np.array(values, np.float32)

    def __dlpack__(self, **options: Any) -> Any:
        return self._values.__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        return self._values.__dlpack_device__()


def gradient_descent(generator: np.random.Generator) -> list[NDArray[np.float32]]:
    """The weights of a small least-squares problem after each iteration."""
    inputs, targets = generator.normal(size=(20, 3)), generator.normal(size=(20, 2))
    weights = np.ones((3, 2))
    seen = []
    for _ in range(ITERATIONS):
        weights = weights - 0.01 * inputs.T @ (inputs @ weights - targets)
        seen.append(weights.astype(np.float32))
    return seen


@pytest.mark.parametrize("weights", ["full", "sketch"])
@pytest.mark.parametrize("array", [np.asarray, ByArray, ByDlpack])
def test_arrays_of_any_library(
    start: Start, mail: Mail, every_call: None, array: Callable[[Any], Any], weights: str
) -> None:
    run = start(
        "run", redis_url=mail.redis_url, weights=weights, strict=True,
        samples=SAMPLES, samples_every=ITERATIONS,
    )  # fmt: skip
    seen = gradient_descent(np.random.default_rng(1))
    for step, W in enumerate(seen):
        scalars = {"loss": array(np.float32(step))}
        run.push_weights(step, G={"dense.kernel": array(W)}, scalars=scalars)
        run.push_samples(step, lambda n: array(np.zeros((n, 1, 2, 2), np.float32)))
    run.finish()
    # A tensor as small as this is sent as it is, also in a sketch.
    expected = {
        step: weight_angle(seen[step - 1].ravel(), seen[step].ravel())
        for step in range(1, ITERATIONS)
    }
    assert mail.angles("run", "G") == pytest.approx(expected, rel=1e-4)
    assert mail.scalars("run") == {"loss": [(step, float(step)) for step in range(ITERATIONS)]}
    assert np.array_equal(mail.batches("run")[0], np.full((SAMPLES, 1, 2, 2), 128))


def test_weights_that_are_changed_in_place_afterwards(
    start: Start, mail: Mail, every_call: None
) -> None:
    run = start("run", redis_url=mail.redis_url)
    W = np.array([1.0, 0.0])
    for step in range(3):
        run.push_weights(step, G={"w": W})
        W[:] = W[::-1].copy()
    run.finish()
    assert mail.angles("run", "G") == pytest.approx({1: np.pi / 2, 2: np.pi / 2})
