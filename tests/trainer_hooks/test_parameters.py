"""The names of weights: those of the network itself, however it is wrapped."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel

from trainer_hooks.parameters import named_weights


@pytest.fixture
def _group(tmp_path: Path) -> Iterator[None]:
    distributed.init_process_group(
        "gloo", init_method=f"file://{tmp_path / 'group'}", rank=0, world_size=1
    )
    yield
    distributed.destroy_process_group()


def compiled(net: nn.Module) -> Any:
    return torch.compile(net, backend="eager")


def with_compiled_part(net: nn.Module) -> nn.Module:
    return nn.Sequential(compiled(net))


WRAPS: dict[str, Callable[[nn.Module], Any]] = {
    "compiled": compiled,
    "DataParallel": nn.DataParallel,
    "distributed": DistributedDataParallel,
    "distributed by one's own class": type("Mine", (DistributedDataParallel,), {}),
    "average": AveragedModel,
    "compiled, distributed": lambda net: DistributedDataParallel(compiled(net)),
    "distributed, compiled": lambda net: compiled(DistributedDataParallel(net)),
    "average of the compiled": lambda net: AveragedModel(compiled(net)),
}


@pytest.mark.usefixtures("_group")
@pytest.mark.parametrize("wrap", WRAPS.values(), ids=WRAPS)
def test_wrapped_network_keeps_its_names(wrap: Callable[[nn.Module], Any]) -> None:
    names, tensors = named_weights("G", wrap(nn.Linear(2, 3)))
    assert names == ["weight", "bias"]
    assert [tuple(tensor.shape) for tensor in tensors] == [(3, 2), (3,)]


def test_compiled_part_keeps_its_names() -> None:
    assert named_weights("G", with_compiled_part(nn.Linear(2, 3)))[0] == ["0.weight", "0.bias"]


def test_networks_own_attributes_may_be_called_like_a_wrappers() -> None:
    class DataParallel(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Linear(2, 3)

    class Holder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.module = nn.Linear(2, 3)

    assert named_weights("G", DataParallel())[0] == ["inner.weight", "inner.bias"]
    assert named_weights("G", Holder())[0] == ["module.weight", "module.bias"]
