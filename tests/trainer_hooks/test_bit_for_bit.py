"""The first promise: training is the same to the last bit, whoever watches and however."""

import functools
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.trainer_hooks.conftest import Start
from tests.trainer_hooks.loops.gan import noise
from tests.trainer_hooks.mail import Mail
from tests.trainer_hooks.training import Hook, Training, same, train
from trainer_hooks import Run, sketch
from trainer_hooks.answers import Answer

#: As many as issue 3 asks for.
ITERATIONS = 500
#: Steps between sample batches, and images of one.
EVERY, SAMPLES = 50, 100
#: An address where nobody listens.
NOWHERE = "redis://127.0.0.1:1/0"


@dataclass(frozen=True)
class Watch:
    """One way to use the hooks.

    Attributes:
        source: what is pushed as samples.
        samples: further arguments of `push_samples`.
        options: of `start`.
        epochs: whether calls tell the epoch.
        ring: whether there is a ring of checkpoints, of the networks that are pushed.
    """

    source: Callable[[Training], Any]
    samples: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    epochs: bool = False
    ring: bool = False


def called(training: Training) -> Any:
    """A callable in the networks' train mode: BatchNorm would learn, Dropout draw."""
    return lambda n: training.netG(noise(n))


def with_numpys_noise(training: Training) -> Any:
    """A callable that draws from all generators, and answers in bytes."""

    def source(n: int) -> Any:
        z = np.random.normal(size=(n, 4)) * random.random()
        images = training.netG(torch.tensor(z, dtype=torch.float32) + noise(n))
        return (images * 127 + 128).byte()

    return source


def batch(training: Training) -> Tensor:
    """What the step made anyway, with its graph."""
    return training.fake


WATCHES = {
    "full, callable": Watch(called, options={"weights": "full"}),
    "sketch, tensor, values of [0, 1]": Watch(
        batch, {"value_range": (0, 1)}, options={"weights": "sketch"}
    ),
    "auto, in train mode, epochs": Watch(
        called,
        {"training": True},
        options={"weights": "auto", "samples_every": "epoch"},
        epochs=True,
    ),
    "sketch, in eval mode, thinned": Watch(
        called, {"training": False}, options={"weights": "sketch", "max_overhead": 1e-6}
    ),
    "full, every noise, every third, strict": Watch(
        with_numpys_noise, options={"weights": "full", "weights_every": 3, "strict": True}
    ),
    "full, as often as it may": Watch(
        called, options={"samples_every": "auto", "max_overhead": 1.0, "weights": "full"}
    ),
    "full, with a ring of checkpoints": Watch(called, options={"weights": "full"}, ring=True),
}


@pytest.fixture(scope="module")
def unwatched() -> dict[str, Any]:
    """What the training leaves without hooks."""
    return train(ITERATIONS)


@pytest.fixture(autouse=True)
def _small_sketches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks as small as these would be sent exactly, also as a sketch."""
    allocate = functools.partial(sketch.allocate, budget=100)
    monkeypatch.setattr(sketch, "allocate", allocate)


def test_training_of_the_test_is_reproducible(unwatched: dict[str, Any]) -> None:
    assert same(train(ITERATIONS), unwatched)


def one_torch_number(step: int, training: Training) -> None:
    if step == ITERATIONS // 2:
        noise(1)


def one_numpy_number(step: int, training: Training) -> None:
    if step == ITERATIONS - 1:
        np.random.normal()


def one_python_number(step: int, training: Training) -> None:
    if step == ITERATIONS - 1:
        random.random()


def one_look_at_the_generator(step: int, training: Training) -> None:
    if step == ITERATIONS - 1:
        with torch.random.fork_rng(), torch.no_grad():
            training.netG(noise())


@pytest.mark.parametrize(
    "hook", [one_torch_number, one_numpy_number, one_python_number, one_look_at_the_generator]
)
def test_comparison_sees_the_smallest_trace(unwatched: dict[str, Any], hook: Hook) -> None:
    assert not same(train(ITERATIONS, hook), unwatched)


@pytest.mark.parametrize("watch", WATCHES.values(), ids=WATCHES)
def test_training_is_the_same_with_hooks(
    unwatched: dict[str, Any], watch: Watch, start: Start, mail: Mail
) -> None:
    options = {"samples": SAMPLES, "samples_every": EVERY, **watch.options}
    run = start("run", redis_url=mail.redis_url, **options)
    assert same(train(ITERATIONS, watching(run, watch)), unwatched)
    run.finish()
    # The hooks did work meanwhile: the comparison is not one of nothing with nothing.
    blocks = [network for frame in mail.weights("run") for network in frame.networks]
    exact = all(tensor.exact for block in blocks for tensor in block.tensors)
    assert exact == (watch.options["weights"] != "sketch")
    assert mail.angles("run", "G")
    assert len(mail.scalars("run")["loss.G"]) == ITERATIONS
    batches = mail.batches("run")
    assert batches
    assert {len(batch) for batch in batches.values()} <= {SAMPLES}
    assert run.dropped == {}
    saved = [*run.settings.home.glob("checkpoints/*/step-*")]
    assert len(saved) == (3 if watch.ring else 0)


@pytest.mark.parametrize("name", ["full, callable", "sketch, in eval mode, thinned"])
@pytest.mark.parametrize(
    "device",
    [
        "cpu",
        pytest.param(
            "cuda",
            marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
        ),
    ],
)
def test_it_is_on_a_device_that_is_the_default(
    device: str, name: str, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Without these two trainings on a GPU differ by themselves.
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True)
    try:
        with torch.device(device):
            expected = train(2 * EVERY)
            run = start("run", redis_url=NOWHERE, samples=SAMPLES, samples_every=EVERY,
                        **WATCHES[name].options)  # fmt: skip
            assert same(train(2 * EVERY, watching(run, WATCHES[name])), expected)
    finally:
        torch.use_deterministic_algorithms(False)
    assert run.dropped == {}


@pytest.mark.parametrize("options", [{"redis_url": NOWHERE}, {"mode": "disabled"}], ids=str)
@pytest.mark.parametrize("name", ["full, callable", "full, with a ring of checkpoints"])
def test_training_is_the_same_when_nothing_can_be_sent(
    unwatched: dict[str, Any], options: dict[str, Any], name: str, start: Start
) -> None:
    run = start("run", samples=SAMPLES, samples_every=EVERY, **options)
    assert same(train(ITERATIONS, watching(run, WATCHES[name])), unwatched)


def test_rewind_puts_networks_back_and_draws_no_numbers(start: Start, mail: Mail) -> None:
    run = start("run", redis_url=mail.redis_url)
    watched = watching(run, WATCHES["full, with a ring of checkpoints"])
    states: dict[int, list[Any]] = {}

    def hook(step: int, training: Training) -> None:
        watched(step, training)
        states[step] = weights_of(training)
        if step == EVERY + 1:
            alert = {"id": "a", "kind": "quality", "step": step, "message": "Q fell"}
            run._control.hear(Answer(0, (alert,)))
            rng = torch.get_rng_state(), np.random.get_state(), random.getstate()
            assert run.rewind() is not None
            assert same((torch.get_rng_state(), np.random.get_state(), random.getstate()), rng)
            assert same(weights_of(training), states[EVERY])

    train(EVERY + 2, hook)
    assert not same(states[EVERY + 1], states[EVERY])


def weights_of(training: Training) -> list[Any]:
    """Parameters and buffers as they are now."""
    networks = (training.netG, training.netD)
    return [{name: v.clone() for name, v in net.state_dict().items()} for net in networks]


def test_callable_that_raises_is_told_once_and_leaves_no_trace(
    unwatched: dict[str, Any], start: Start, mail: Mail, caplog: pytest.LogCaptureFixture
) -> None:
    """It has drawn numbers, changed modes and moved BatchNorm when it raises."""

    def failing(training: Training) -> Any:
        def source(n: int) -> Any:
            training.netG.eval()
            training.netG[1].train()  # type: ignore[index]
            with_numpys_noise(training)(n)
            raise RuntimeError("out of ideas")

        return source

    run = start("run", redis_url=mail.redis_url, samples=SAMPLES, samples_every=EVERY)
    with caplog.at_level(logging.WARNING):
        assert same(train(ITERATIONS, watching(run, Watch(failing))), unwatched)
    run.finish()
    assert run.dropped == {"bad_samples": ITERATIONS // EVERY}
    assert sum("out of ideas" in record.getMessage() for record in caplog.records) == 1
    assert all("out of ideas" in frame.failure for frame in mail.samples("run"))


def watching(run: Run, watch: Watch) -> Hook:
    ring = run.checkpoints(every=EVERY) if watch.ring else None

    def hook(step: int, training: Training) -> None:
        epoch = step / EVERY if watch.epochs else None
        # Numbers and tensors that still have their graph.
        scalars = {**training.losses, "step": step, "mean": training.fake.mean()}
        networks = {"G": training.netG, "D": training.netD}
        run.push_weights(step, networks, epoch=epoch, scalars=scalars)
        run.push_samples(step, watch.source(training), epoch=epoch, **watch.samples)
        if ring is not None:
            ring.save_if_due(step)
            assert not run.should_stop()
            assert run.alerts() == []

    return hook
