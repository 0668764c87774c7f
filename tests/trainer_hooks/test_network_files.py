"""Networks to a file and back, to the last bit."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tests.trainer_hooks.training import same
from trainer_hooks.errors import CheckpointError
from trainer_hooks.network_files import load_networks, write_networks


def network() -> nn.Module:
    made = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 3, bias=False))
    made[2].half()
    made.register_buffer("loose", torch.arange(3), persistent=False)
    return made


def test_parameters_and_buffers_come_back_in_place(tmp_path: Path) -> None:
    net = network()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    addresses = [parameter.data_ptr() for parameter in net.parameters()]
    write_networks({"G": net}, tmp_path / "x")
    with torch.no_grad():
        for value in net.state_dict().values():
            value.add_(1)
        net.get_buffer("loose").add_(1)
    load_networks({"G": net}, tmp_path / "x")
    assert same(dict(net.state_dict()), before)
    assert net.get_buffer("loose").tolist() == [0, 1, 2]
    assert [parameter.data_ptr() for parameter in net.parameters()] == addresses


def test_wrapped_network_is_the_one_inside(tmp_path: Path) -> None:
    net = network()
    write_networks({"G": nn.DataParallel(net)}, tmp_path / "x")
    load_networks({"G": net}, tmp_path / "x")


def test_weights_that_share_memory(tmp_path: Path) -> None:
    flat = torch.arange(6.0)
    net = nn.Module()
    net.first = nn.Parameter(flat[:4])
    net.second = nn.Parameter(flat[2:])
    net.tied = net.first
    write_networks({"G": net}, tmp_path / "x")
    with torch.no_grad():
        flat.zero_()
    load_networks({"G": net}, tmp_path / "x")
    assert flat.tolist() == [0, 1, 2, 3, 4, 5]


def test_networks_without_torch(tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    turned = np.arange(6.0).reshape(2, 3).T
    arrays = {"w": turned, "scalar": np.float32(2)}
    write_networks({"G": arrays, "D": {"w": [1.0, 2.0]}}, tmp_path / "x")
    found = load_file(tmp_path / "x")
    assert sorted(found) == ["D/w", "G/scalar", "G/w"]
    assert np.array_equal(found["G/w"], turned)
    with pytest.raises(CheckpointError, match="'G' is a mapping, whose arrays may be copies"):
        load_networks({"G": arrays}, tmp_path / "x")


def others() -> dict[str, Any]:
    return {
        "shape": nn.Linear(3, 5),
        "more": nn.Sequential(nn.Linear(3, 4)),
        "fewer": nn.Linear(3, 4, bias=False),
    }


@pytest.mark.parametrize("name", others())
def test_other_network_is_refused_as_a_whole(tmp_path: Path, name: str) -> None:
    write_networks({"G": nn.Linear(3, 4)}, tmp_path / "x")
    other = others()[name]
    before = {key: value.clone() for key, value in other.state_dict().items()}
    with pytest.raises(CheckpointError, match=r"tensor 'G/.*'"):
        load_networks({"G": other}, tmp_path / "x")
    assert same(dict(other.state_dict()), before)


def test_nothing_to_write_and_nothing_to_read(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no network was pushed yet"):
        write_networks({}, tmp_path / "x")
    (tmp_path / "x").write_bytes(b"not a file of ours")
    with pytest.raises(CheckpointError, match="no file of networks"):
        load_networks({"G": nn.Linear(3, 4)}, tmp_path / "x")
