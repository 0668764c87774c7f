"""The callable is asked for pieces until the batch is there; what hangs is refused unasked."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from trainer_hooks.errors import SamplesError
from trainer_hooks.sampling import PIECE_SAMPLES, Sampler


class Source:
    """Counts what it is asked for."""

    def __init__(self, net: Any = None, returned: int | None = None) -> None:
        self.net = net
        self.asked: list[int] = []
        self.returned = returned

    def __call__(self, n: int) -> Any:
        self.asked.append(n)
        batch = torch.zeros(self.returned or n, 4)
        return self.net(batch) if self.net is not None else batch


def draw(source: Any, samples: int) -> list[int]:
    """Sizes of the batches until `samples` are there."""
    sizes: list[int] = []

    def accept(batch: Any) -> bool:
        sizes.append(len(batch))
        return sum(sizes) < samples

    Sampler(source).draw(samples, accept)
    return sizes


@pytest.fixture
def ranks(tmp_path: Path) -> Iterator[None]:
    """A process group of one, which is enough to build what talks to others."""
    distributed.init_process_group(
        "gloo", init_method=f"file://{tmp_path / 'ranks'}", rank=0, world_size=1
    )
    yield
    distributed.destroy_process_group()


@pytest.mark.parametrize("samples", [1, 2, 63, 64, 65, 100, 2000])
def test_pieces_are_nearly_equal_and_never_one_alone(samples: int) -> None:
    source = Source()
    assert sum(draw(source, samples)) == samples
    assert max(source.asked) <= PIECE_SAMPLES
    assert max(source.asked) - min(source.asked) <= 1
    assert min(source.asked) > 1 or samples == 1


def test_callable_that_returns_fewer_is_asked_again() -> None:
    assert draw(Source(returned=7), 100) == [7] * 15


def test_callable_that_returns_more_is_not_asked_again() -> None:
    assert draw(Source(returned=500), 100) == [500]


def test_empty_batches_do_not_go_on_for_ever() -> None:
    def accept(batch: Any) -> bool:
        if not len(batch):
            raise SamplesError("N ≥ 1")
        return True

    with pytest.raises(SamplesError):
        Sampler(lambda n: np.zeros((0, 4))).draw(10, accept)


def test_distributed_module_is_refused_and_the_callable_never_called(ranks: None) -> None:
    wrapped = DistributedDataParallel(nn.Linear(4, 4))
    source = Source(wrapped)
    with pytest.raises(SamplesError, match=r"DistributedDataParallel.*use \.module"):
        draw(source, 10)
    assert source.asked == []


def test_module_inside_the_distributed_one_is_sampled(ranks: None) -> None:
    wrapped = DistributedDataParallel(nn.Linear(4, 4))
    inner = wrapped.module
    assert draw(lambda n: inner(torch.zeros(n, 4)), 10) == [10]
    assert draw(lambda n: wrapped.module(torch.zeros(n, 4)), 10) == [10]


def test_wrapper_called_in_spite_of_saying_module_is_stopped_before_its_forward(
    ranks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    forwards: list[Any] = []
    wrapped = DistributedDataParallel(nn.Linear(4, 4))
    monkeypatch.setattr(DistributedDataParallel, "forward", lambda self, x: forwards.append(x))
    with pytest.raises(SamplesError, match="DistributedDataParallel"):
        draw(lambda n: wrapped(wrapped.module(torch.zeros(n, 4))), 10)
    assert forwards == []


def test_hidden_wrapper_is_stopped_before_its_forward(
    ranks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    forwards: list[Any] = []
    wrapped = DistributedDataParallel(nn.Linear(4, 4))
    monkeypatch.setattr(DistributedDataParallel, "forward", lambda self, x: forwards.append(x))
    hidden = type("Hidden", (), {"__getattr__": lambda self, name: wrapped})()
    with pytest.raises(SamplesError, match="DistributedDataParallel"):
        draw(lambda n: hidden.net(torch.zeros(n, 4)), 10)
    assert forwards == []


def test_synchronised_batch_norm_is_refused_wherever_it_is() -> None:
    net = nn.Sequential(nn.Linear(4, 4), nn.Sequential(nn.SyncBatchNorm(4)))
    source = Source(net)
    with pytest.raises(SamplesError, match="SyncBatchNorm"):
        draw(source, 10)
    assert source.asked == []


@pytest.mark.parametrize("name", ["FullyShardedDataParallel", "FSDPModule"])
def test_sharded_module_is_refused_by_its_class_or_that_of_a_parent(name: str) -> None:
    base = type(name, (nn.Linear,), {})
    source = Source(nn.Sequential(type("Derived", (base,), {})(4, 4)))
    with pytest.raises(SamplesError, match=name):
        draw(source, 10)
    assert source.asked == []


def test_modules_of_another_thread_are_not_touched() -> None:
    # DataParallel and data loaders run modules in threads of their own, at the same time.
    import threading

    net = nn.BatchNorm1d(4)
    release, entered = threading.Event(), threading.Event()

    class Other(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            entered.set()
            release.wait(10)
            return x

    other = Other()

    def source(n: int) -> Tensor:
        thread = threading.Thread(target=lambda: other(torch.zeros(1)))
        thread.start()
        entered.wait(10)
        other_state.append(other.training)
        out: Tensor = net(torch.zeros(n, 4))
        release.set()
        thread.join()
        return out

    other_state: list[bool] = []
    Sampler(_opaque(source), training=False).draw(4, lambda batch: False)
    assert other_state == [True]


def _opaque(function: Any) -> Any:
    """A callable whose inside the search cannot see."""
    return type("Opaque", (), {"__slots__": (), "__call__": staticmethod(function)})()
