"""The callable is asked for pieces until the batch is there; what hangs is refused unasked."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from trainer_hooks.batches import Batch
from trainer_hooks.errors import SamplesError
from trainer_hooks.pieces import FEWEST, MOST, Pieces
from trainer_hooks.push_queue import PushQueue
from trainer_hooks.sampling import Sampler

MIB = 2**20


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


def draw(source: Any, samples: int, pieces: Pieces | None = None) -> list[int]:
    """Sizes of the batches until `samples` are there."""
    pieces = pieces or Pieces(PushQueue(8 * MIB))
    sizes: list[int] = []

    def accept(batch: Any) -> int:
        pieces.learn(Batch(batch, (-1, 1)))
        sizes.append(len(batch))
        return max(0, samples - sum(sizes))

    Sampler(source, pieces).draw(samples, accept)
    return sizes


@pytest.fixture
def ranks(tmp_path: Path) -> Iterator[None]:
    """A process group of one, which is enough to build what talks to others."""
    distributed.init_process_group(
        "gloo", init_method=f"file://{tmp_path / 'ranks'}", rank=0, world_size=1
    )
    yield
    distributed.destroy_process_group()


@pytest.mark.parametrize("samples", [1, 2, 3, 63, 64, 65, 66, 67, 100, 2000])
def test_pieces_are_nearly_equal_and_never_one_alone(samples: int) -> None:
    pieces = Pieces(PushQueue(8 * MIB))
    for _ in range(2):
        source = Source()
        assert sum(draw(source, samples, pieces)) == samples
        assert max(source.asked) <= MOST
        assert min(source.asked) >= min(samples, FEWEST)
    # Of the first batch only the first piece was smaller: nobody knew what a sample takes.
    assert max(source.asked) - min(source.asked) <= 1


@given(st.integers(1, 300), st.integers(1, 3 * MIB), st.integers(0, 7 * MIB))
def test_pieces_keep_to_their_share_of_the_budget_and_to_what_is_free(
    samples: int, sample_bytes: int, used_bytes: int
) -> None:
    queue = PushQueue(8 * MIB)
    queue.hold("others", used_bytes)
    pieces = Pieces(queue)
    one = np.broadcast_to(np.uint8(0), (1, 1, 1, sample_bytes))
    asked: list[int] = []
    while (missing := samples - sum(asked)) > 0:
        asked.append(pieces.size(missing))
        pieces.learn(Batch(one, (-1, 1)))
    assert sum(asked) == samples
    room = min(2 * MIB, 8 * MIB - used_bytes)
    # Two at least, and three where one would be left.
    assert all(size <= 3 or size * sample_bytes <= room for size in asked)
    assert asked[0] <= 3
    assert min(asked) > 1 or samples == 1


def test_callable_that_returns_fewer_is_asked_again() -> None:
    source = Source(returned=7)
    assert draw(source, 99) == [7] * 15
    # One was missing at the end.
    assert min(source.asked) == FEWEST


def test_callable_that_returns_more_is_not_asked_again() -> None:
    assert draw(Source(returned=500), 100) == [500]


def test_empty_batches_do_not_go_on_for_ever() -> None:
    with pytest.raises(SamplesError, match="N ≥ 1"):
        draw(lambda n: np.zeros((0, 4)), 10)


def test_distributed_module_is_refused_and_the_callable_never_called(ranks: None) -> None:
    wrapped = DistributedDataParallel(nn.Linear(4, 4))
    source = Source(wrapped)
    with pytest.raises(SamplesError, match=r"DistributedDataParallel.*use \.module"):
        draw(source, 10)
    assert source.asked == []


def test_module_inside_the_distributed_one_is_sampled(ranks: None) -> None:
    wrapped = DistributedDataParallel(nn.Linear(4, 4))
    inner = wrapped.module
    assert draw(lambda n: inner(torch.zeros(n, 4)), 10) == [2, 8]
    assert draw(lambda n: wrapped.module(torch.zeros(n, 4)), 10) == [2, 8]


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
    Sampler(_opaque(source), Pieces(PushQueue(8 * MIB)), training=False).draw(4, lambda batch: 0)
    assert other_state == [True]


def _opaque(function: Any) -> Any:
    """A callable whose inside the search cannot see."""
    return type("Opaque", (), {"__slots__": (), "__call__": staticmethod(function)})()
