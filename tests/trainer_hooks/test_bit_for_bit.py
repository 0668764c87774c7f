"""The first promise: training is the same to the last bit, whoever watches."""

import functools
from typing import Any

import pytest

from tests.trainer_hooks.conftest import Start
from tests.trainer_hooks.mail import Mail
from tests.trainer_hooks.training import Hook, Training, same, train
from trainer_hooks import Run

ITERATIONS = 200
#: Channels of the test's networks: a quarter of the demo's, for speed.
WIDTH = 8
#: An address where nobody listens.
NOWHERE = "redis://127.0.0.1:1/0"


@pytest.fixture(scope="module")
def unwatched() -> dict[str, Any]:
    """What the training leaves without hooks."""
    return train(ITERATIONS, width=WIDTH)


def test_training_of_the_test_is_reproducible(unwatched: dict[str, Any]) -> None:
    assert same(train(ITERATIONS, width=WIDTH), unwatched)


def test_comparison_sees_one_bit(unwatched: dict[str, Any]) -> None:
    assert not same(train(ITERATIONS, _one_random_number, width=WIDTH), unwatched)


@pytest.mark.parametrize("redis", ["alive", "absent"])
@pytest.mark.parametrize("weights", ["full", "sketch"])
def test_training_is_the_same_with_hooks(
    unwatched: dict[str, Any], weights: str, redis: str, start: Start, mail: Mail
) -> None:
    url = mail.redis_url if redis == "alive" else NOWHERE
    run = start("run", redis_url=url, weights=weights, samples=100, samples_every=20)
    assert same(train(ITERATIONS, _watching(run), width=WIDTH), unwatched)
    run.finish()
    if redis == "alive":
        # The hooks did work meanwhile: the comparison is not one of nothing with nothing.
        assert [len(batch) for batch in mail.batches("run").values()] == [100] * 10
        assert mail.pairs("run", "G")
        assert len(mail.scalars("run")["loss.G"]) == ITERATIONS
        assert run.dropped == {}


def _watching(run: Run) -> Hook:
    def hook(step: int, training: Training) -> None:
        epoch = step * 16 / 100
        networks = {"G": training.netG, "D": training.netD}
        run.push_weights(step, networks, epoch=epoch, scalars=training.losses)
        # The generator is in train mode: its BatchNorm would learn from the samples.
        source = functools.partial(_sample, training)
        run.push_samples(step, source, epoch=epoch, training=None if step % 40 else False)

    return hook


def _sample(training: Training, n: int) -> Any:
    return training.netG(training.noise(n))


def _one_random_number(step: int, training: Training) -> None:
    if step == ITERATIONS // 2:
        training.noise(1)
