"""Snapshots: every float weight of every kind of network, copied, in one order."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from trainer_hooks.errors import BadNameError, NetworkError
from trainer_hooks.sketch import BUCKETS
from trainer_hooks.snapshot import FULL_LIMIT_BYTES, Layout, Snapshots

BUDGET = 256 * 2**20


def taken(network: object, weights: str = "full") -> tuple[Layout, NDArray[np.float32]]:
    snapshot = Snapshots(weights, BUDGET).take("G", network)
    return snapshot.layout, snapshot.values.array()


class WithDlpack:
    """An array of a library that speaks only DLPack."""

    def __init__(self, array: NDArray[Any]) -> None:
        self._array = array

    def __dlpack__(self, **options: Any) -> Any:
        return self._array.__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        return self._array.__dlpack_device__()


class WithArray:
    """An array of a library that speaks only NumPy's protocol."""

    def __init__(self, array: NDArray[Any]) -> None:
        self._array = array

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return self._array


def test_module_gives_its_parameters_in_their_order() -> None:
    net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    layout, values = taken(net)
    sizes = [("0.weight", 6), ("0.bias", 3), ("1.weight", 3), ("1.bias", 3)]
    assert layout == Layout("full", 0, tuple((name, n, n) for name, n in sizes))
    flat = torch.cat([p.detach().reshape(-1) for p in net.parameters()])
    assert values.tolist() == flat.tolist()
    assert layout.parameters == 15


@pytest.mark.parametrize("wrap", [np.asarray, torch.from_numpy, WithDlpack, WithArray, list])
def test_mapping_of_any_arrays(wrap: Any) -> None:
    arrays = {"w": np.arange(6.0).reshape(2, 3), "b": np.ones(2)}
    layout, values = taken({name: wrap(array) for name, array in arrays.items()})
    assert [entry[:2] for entry in layout.tensors] == [("w", 6), ("b", 2)]
    assert values.tolist() == [0, 1, 2, 3, 4, 5, 1, 1]


@pytest.mark.parametrize("weights", ["full", "sketch"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64, torch.float32])
def test_any_float_dtype_arrives_as_float32(dtype: torch.dtype, weights: str) -> None:
    values = torch.tensor([0.5, -1.25, 3.0], dtype=dtype)
    assert taken({"w": values}, weights)[1].tolist() == [0.5, -1.25, 3.0]
    if dtype != torch.bfloat16:
        assert taken({"w": values.numpy()}, weights)[1].tolist() == [0.5, -1.25, 3.0]


def test_torch_and_numpy_together() -> None:
    frozen = np.arange(2.0)
    frozen.setflags(write=False)
    _, values = taken({"a": torch.ones(2), "b": frozen})
    assert values.tolist() == [1, 1, 0, 1]


@pytest.mark.parametrize("as_torch", [True, False])
def test_complex_weights_are_two_reals_each(as_torch: bool) -> None:
    values = np.array([1 + 2j, 3 - 4j], np.complex64)
    layout, numbers = taken({"w": torch.from_numpy(values).conj().conj() if as_torch else values})
    assert numbers.tolist() == [1, 2, 3, -4]
    assert layout.parameters == 4


def test_integers_and_empty_tensors_are_no_weights() -> None:
    network = {
        "steps": torch.tensor(3),
        "mask": np.ones(3, bool),
        "none": torch.zeros(0),
        "w": torch.ones(2),
        "codes": np.arange(3),
    }
    layout, values = taken(network)
    assert [name for name, _, _ in layout.tensors] == ["w"]
    assert values.tolist() == [1, 1]


def test_tied_weights_count_once_and_views_are_flattened() -> None:
    net = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False))
    net[1].weight = net[0].weight
    assert taken(net)[0].parameters == 4
    base = torch.arange(6.0).reshape(2, 3)
    assert taken({"w": base.T})[1].tolist() == [0, 3, 1, 4, 2, 5]


@pytest.mark.parametrize("weights", ["full", "sketch"])
def test_snapshot_is_a_copy(weights: str) -> None:
    for network in ({"w": torch.ones(3)}, {"w": np.ones(3, np.float32)}):
        snapshot = Snapshots(weights, BUDGET).take("G", network)
        network["w"][:] = 5
        assert snapshot.values.array().tolist() == [1, 1, 1]


def test_gradients_are_not_followed_and_graphs_not_touched() -> None:
    net = nn.Linear(2, 2)
    loss = net(torch.ones(1, 2)).sum()
    taken(net)
    taken({"w": loss * torch.ones(2)})
    loss.backward()
    assert net.weight.grad is not None


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e300])
@pytest.mark.parametrize("weights", ["full", "sketch"])
def test_what_is_not_finite_arrives_so_and_warns_nobody(bad: float, weights: str) -> None:
    values = np.ones(2 * BUCKETS)
    values[7] = bad
    values[7 + BUCKETS] = -bad
    for network in ({"w": values}, {"w": torch.from_numpy(values)}):
        assert not np.isfinite(taken(network, weights)[1][7])


def test_auto_is_full_up_to_the_limit() -> None:
    most = FULL_LIMIT_BYTES // 4
    assert taken({"w": torch.zeros(most)}, "auto")[0].form == "full"
    layout, values = taken({"w": torch.zeros(most + 1)}, "auto")
    assert layout.form == "sketch"
    assert values.nbytes <= 256 * 1024
    small = Snapshots("auto", 8 * 2**20).take("G", {"w": torch.zeros(most)})
    assert small.layout.form == "sketch"


def test_layout_is_made_once_and_anew_when_the_network_changes() -> None:
    snapshots = Snapshots("sketch", BUDGET)
    first = snapshots.take("G", {"w": torch.zeros(3)}).layout
    assert snapshots.take("G", {"w": torch.ones(3)}).layout is first
    assert snapshots.take("G", {"w": torch.ones(4)}).layout != first
    assert snapshots.take("G", {"v": torch.ones(4)}).layout.tensors == (("v", 4, 4),)
    assert snapshots.take("D", {"w": torch.zeros(3)}).layout == first


@pytest.mark.parametrize(
    ("network", "said"),
    [
        ({}, "no floating-point weights"),
        (nn.ReLU(), "no floating-point weights"),
        ({"w": np.arange(3)}, "no floating-point weights"),
        (None, "is a NoneType; push a torch module"),
        ([torch.zeros(2)], "is a list"),
        (torch.zeros(2), "is a Tensor"),
        ({"w": "text"}, "'w' of network 'G' is a str, no weights"),
        ({"w": None}, "'w' of network 'G' is a NoneType"),
        ({"w": {"v": torch.zeros(2)}}, "'w' of network 'G' is a dict"),
    ],
)
def test_what_is_no_network_is_refused_with_what_it_is(network: object, said: str) -> None:
    with pytest.raises(NetworkError, match=said):
        taken(network)


@pytest.mark.parametrize("name", ["", "w" * 257, "a\nb", 3])
def test_tensor_names_follow_the_rule(name: Any) -> None:
    with pytest.raises(BadNameError):
        taken({name: torch.zeros(2)})


@pytest.mark.parametrize("name", ["w/x", "%2f", ":*{}", "  ", "<b>", "权重", "w" * 256])
def test_tensor_names_may_hold_anything_else(name: str) -> None:
    assert taken({name: torch.zeros(2)})[0].tensors == ((name, 2, 2),)


@pytest.mark.parametrize(
    ("kind", "local"),
    [
        ("DTensor", "p.to_local()"),
        ("FSDPModule", "p.to_local()"),
        ("FullyShardedDataParallel", "p"),
    ],
)
def test_part_of_a_network_is_refused_and_the_way_to_push_it_told(kind: str, local: str) -> None:
    if kind == "DTensor":
        network: object = {"w": type(kind, (torch.Tensor,), {})(3)}
    else:
        network = nn.Sequential(type(kind, (nn.Linear,), {})(2, 2))
    with pytest.raises(NetworkError) as caught:
        taken(network)
    assert str(caught.value) == (
        f"network 'G' is a {kind}, of which this rank holds only a part; push the parts from every "
        f"rank: push_weights(step, {{'G': {{name: {local} for name, p in "
        "net.named_parameters()}}, shard=(rank, number of ranks))"
    )


def test_parameters_without_a_shape_yet_raise_and_stay() -> None:
    net = nn.LazyLinear(3)
    with pytest.raises(ValueError, match="uninitialized"):
        taken(net)
    assert isinstance(net.weight, nn.parameter.UninitializedParameter)
