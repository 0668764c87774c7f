"""Sampling leaves no trace: random numbers, module state, gradients, autocast, compilation."""

import functools
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, spectral_norm

from tests.trainer_hooks.training import same
from trainer_hooks.batches import Batch
from trainer_hooks.errors import SamplesError
from trainer_hooks.pieces import Pieces
from trainer_hooks.push_queue import PushQueue
from trainer_hooks.sampling import Sampler


def drawn(source: Callable[[int], Any], samples: int = 8, **options: Any) -> list[Any]:
    """The batches that sampling brings."""
    batches: list[Any] = []

    def accept(batch: Any) -> int:
        batches.append(batch)
        return samples - sum(len(one) for one in batches)

    pieces = Pieces(PushQueue(8 * 2**20))
    pieces.learn(Batch(np.zeros((1, 4)), (-1, 1)))
    Sampler(source, pieces, **options).draw(samples, accept)
    return batches


def state_of(*modules: nn.Module) -> list[Any]:
    """Everything of modules that a call could change, with the identity of their tensors."""
    found: list[Any] = []
    for module in modules:
        for part in module.modules():
            tensors = {**part._parameters, **part._buffers}
            found.append({name: None if t is None else t.clone() for name, t in tensors.items()})
            found.append({name: id(t) for name, t in tensors.items()})
            found.append({name: id(value) for name, value in vars(part).items()})
    return found


def batch_norm() -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Dropout(0.5))


class Stateful(nn.Module):
    """Assigns a buffer and attributes in its forward, as many real modules do."""

    mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(4))
        self.calls = 0
        self.noise = torch.Generator().manual_seed(5)

    def forward(self, x: Tensor) -> Tensor:
        self.mean = 0.9 * self.mean + 0.1 * x.mean(0)
        self.calls += 1
        self.last = x
        self.register_buffer("cache", x.clone())
        return x + torch.randn(x.shape, generator=self.noise) + self.mean


def test_global_random_numbers_go_on_as_if_nothing_happened() -> None:
    torch.manual_seed(1)
    np.random.seed(2)
    random.seed(3)
    states = torch.get_rng_state(), np.random.get_state(), random.getstate()
    drawn(lambda n: torch.randn(n, 4) * np.random.rand() * random.random())
    assert same((torch.get_rng_state(), np.random.get_state(), random.getstate()), states)


def test_noise_differs_from_the_trainings_own_and_between_steps() -> None:
    torch.manual_seed(0)
    (first,) = drawn(lambda n: torch.randn(n, 4), seed=1)
    (again,) = drawn(lambda n: torch.randn(n, 4), seed=1)
    (later,) = drawn(lambda n: torch.randn(n, 4), seed=2)
    assert torch.equal(first, again)
    assert not torch.equal(first, later)
    assert not torch.equal(first, torch.randn(8, 4))


def test_global_generator_of_numpy_may_be_another() -> None:
    before = np.random.get_bit_generator()  # type: ignore[attr-defined]
    np.random.set_bit_generator(np.random.PCG64(1))  # type: ignore[attr-defined]
    try:
        state = np.random.get_state(legacy=False)
        drawn(lambda n: np.random.rand(n, 4))
        assert np.random.get_state(legacy=False) == state
    finally:
        np.random.set_bit_generator(before)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("generator", "draw"),
    [
        (torch.Generator(), lambda g, n: torch.randn(n, 4, generator=g)),
        (np.random.default_rng(1), lambda g, n: g.standard_normal((n, 4))),
        (np.random.RandomState(1), lambda g, n: g.randn(n, 4)),
        (random.Random(1), lambda g, n: np.full((n, 4), g.random())),
    ],
    ids=["torch", "numpy", "numpy-legacy", "python"],
)
def test_trainers_own_generators_keep_their_state(generator: Any, draw: Any) -> None:
    holder = {"nested": [generator]}
    for source in (
        lambda n: draw(generator, n),
        functools.partial(draw, generator),
        lambda n: draw(holder["nested"][0], n),
    ):
        expected = draw(generator, 3)
        _rewind(generator)
        drawn(source)
        assert same(np.asarray(draw(generator, 3)), np.asarray(expected))
        _rewind(generator)


def _rewind(generator: Any) -> None:
    if isinstance(generator, torch.Generator):
        generator.manual_seed(torch.Generator().initial_seed())
    elif isinstance(generator, np.random.Generator):
        generator.bit_generator.state = np.random.default_rng(1).bit_generator.state
    else:
        generator.seed(1)


def test_generator_whose_state_cannot_be_read_is_left_alone() -> None:
    system = random.SystemRandom()
    assert len(drawn(lambda n: np.full((n, 4), system.random()))[0]) == 8


@pytest.mark.parametrize("training", [None, True, False])
@pytest.mark.parametrize("mode", [True, False])
def test_modes_and_batch_norm_stay(mode: bool, training: bool | None) -> None:
    net = batch_norm().train(mode)
    net[1].eval()
    seen: list[bool] = []
    before = state_of(net)

    def source(n: int) -> Tensor:
        seen.append(net.training)
        out: Tensor = net(torch.randn(n, 4))
        return out

    drawn(source, training=training)
    assert seen == [mode if training is None else training]
    assert same(state_of(net), before)
    assert [part.training for part in net] == [mode, False, mode]


def test_modules_own_rule_for_their_mode_is_kept() -> None:
    class Frozen(nn.BatchNorm1d):
        def train(self, mode: bool = True) -> "Frozen":
            super().train(False)
            return self

    net = nn.Sequential(nn.Linear(4, 4), Frozen(4))
    net.train()
    seen: list[bool] = []

    def source(n: int) -> Tensor:
        seen.append(net[1].training)
        out: Tensor = net(torch.randn(n, 4))
        return out

    drawn(source, training=True)
    assert seen == [False]


def test_buffers_and_attributes_that_are_assigned_come_back() -> None:
    net = Stateful()
    before = state_of(net)
    noise = net.noise.get_state()
    drawn(lambda n: net(torch.randn(n, 4)))
    assert same(state_of(net), before)
    assert torch.equal(net.noise.get_state(), noise)
    assert net.calls == 0
    assert "cache" not in dict(net.named_buffers())


@pytest.mark.parametrize("wrap", [spectral_norm, parametrizations.spectral_norm])
@pytest.mark.filterwarnings("ignore:`torch.nn.utils.spectral_norm` is deprecated")
def test_spectral_norm_keeps_its_vectors(wrap: Callable[[nn.Module], nn.Module]) -> None:
    net = wrap(nn.Linear(4, 4))
    net(torch.randn(2, 4))
    before = state_of(net)
    drawn(lambda n: net(torch.randn(n, 4)))
    assert same(state_of(net), before)


def test_graph_that_waits_for_its_backward_pass_is_not_torn() -> None:
    net = batch_norm().eval()
    x = torch.randn(6, 4)
    expected = torch.autograd.grad(net(x).sum(), list(net[1].parameters()))
    loss = net(x).sum()
    drawn(lambda n: net(torch.randn(n, 4)), training=True)
    assert same(torch.autograd.grad(loss, list(net[1].parameters())), expected)


def test_buffer_that_somebody_writes_to_behind_the_module_comes_back() -> None:
    net = batch_norm()
    running = net[1].running_mean
    assert isinstance(running, Tensor)
    before, version = running.clone(), running._version

    def source(n: int) -> Tensor:
        running.data.add_(1.0)
        out: Tensor = net(torch.randn(n, 4))
        return out

    drawn(source)
    assert torch.equal(running, before)
    assert running._version == version


def test_shared_buffer_stays_shared_while_sampling() -> None:
    left, right = batch_norm(), batch_norm()
    right[1]._buffers["running_mean"] = left[1]._buffers["running_mean"]
    shared: list[bool] = []

    def source(n: int) -> Tensor:
        shared.append(left[1].running_mean is right[1].running_mean)
        out: Tensor = right(left(torch.randn(n, 4)))
        return out

    before = state_of(left, right)
    drawn(source)
    assert shared == [True]
    assert same(state_of(left, right), before)


def test_no_gradients_are_made_or_lost() -> None:
    net = batch_norm()
    net(torch.randn(4, 4)).sum().backward()
    gradients = [p.grad for p in net.parameters()]
    (batch,) = drawn(lambda n: net(torch.randn(n, 4)))
    assert not batch.requires_grad
    assert torch.is_grad_enabled()
    assert [p.grad is g for p, g in zip(net.parameters(), gradients, strict=True)] == [True] * 4


def test_autocast_does_not_hand_ungraded_casts_to_the_training() -> None:
    net = nn.Linear(4, 4)
    cached: list[bool] = []

    def source(n: int) -> Tensor:
        cached.append(torch.is_autocast_cache_enabled())
        out: Tensor = net(torch.randn(n, 4))
        return out

    with torch.autocast("cpu", torch.bfloat16):
        drawn(source)
        net(torch.randn(3, 4)).sum().backward()
        assert torch.is_autocast_cache_enabled()
    assert cached == [False]
    assert net.weight.grad is not None


def test_module_that_only_runs_is_protected_too() -> None:
    net = batch_norm()
    registry = {str(i): None for i in range(3)}
    hidden = type("Hidden", (), {"__getattr__": lambda self, name: net})()
    before = state_of(net)
    drawn(lambda n: hidden.anything(torch.randn(n, 4)) if registry else None)
    assert same(state_of(net), before)


def test_no_hook_is_left_behind() -> None:
    hooks = nn.modules.module._global_forward_pre_hooks
    before = len(hooks)
    net = batch_norm()
    drawn(lambda n: net(torch.randn(n, 4)))
    with pytest.raises(SamplesError):
        drawn(lambda n: 1 / 0)
    assert len(hooks) == before


def test_everything_comes_back_when_the_callable_raises() -> None:
    net = Stateful()
    before = state_of(net), torch.get_rng_state(), np.random.get_state(), random.getstate()

    def source(n: int) -> Tensor:
        net(torch.randn(n, 4))
        raise RuntimeError("out of memory\nand more")

    with pytest.raises(SamplesError, match="RuntimeError: out of memory and more"):
        drawn(source, training=False)
    after = state_of(net), torch.get_rng_state(), np.random.get_state(), random.getstate()
    assert same(after, before)
    assert net.training


def test_module_without_shapes_yet_is_refused_and_not_shaped() -> None:
    net = nn.Sequential(nn.LazyLinear(4))
    with pytest.raises(SamplesError, match="train a step first"):
        drawn(lambda n: net(torch.randn(n, 3)))
    assert isinstance(net[0].weight, nn.parameter.UninitializedParameter)


def test_compiled_module_is_sampled_without_compiling_again() -> None:
    compiled: list[int] = []

    def backend(graph: Any, _inputs: Any) -> Any:
        compiled.append(1)
        return graph.forward

    net = batch_norm()
    fast = torch.compile(net, backend=backend)
    fast(torch.randn(5, 4))
    count, before = len(compiled), state_of(net)
    drawn(lambda n: fast(torch.randn(n, 4)))
    assert len(compiled) == count > 0
    assert same(state_of(net), before)
    fast(torch.randn(5, 4))
    assert len(compiled) == count


def test_bound_method_and_callable_object_are_followed() -> None:
    class Trainer:
        def __init__(self) -> None:
            self.parts = {"nets": [batch_norm()]}

        def sample(self, n: int) -> Tensor:
            out: Tensor = self.parts["nets"][0](torch.randn(n, 4))
            return out

        __call__ = sample

    trainer = Trainer()
    net = trainer.parts["nets"][0]
    before = state_of(net)
    for source in (trainer.sample, trainer, lambda n: trainer.sample(n)):
        drawn(source)
        assert same(state_of(net), before)


def test_inference_mode_around_the_call() -> None:
    net = batch_norm()
    before = state_of(net)
    with torch.inference_mode():
        drawn(lambda n: net(torch.randn(n, 4)))
    assert same(state_of(net), before)
    net(torch.randn(4, 4)).sum().backward()
