"""The weights of a network by name, whatever it is made of."""

import sys
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer_hooks.collective import sharded_kind
from trainer_hooks.errors import NetworkError
from trainer_hooks.names import MAX_METRIC_NAME, check_name

#: Classes that only change how a network runs, and where they keep it: it is the same network, with
#: the same names, whether it is wrapped or not.
WRAPPERS = {
    "DataParallel": "module",
    "DistributedDataParallel": "module",
    "AveragedModel": "module",
    "OptimizedModule": "_orig_mod",
}
#: What `torch.compile` adds to the names of a compiled part.
COMPILED = "_orig_mod."
#: This rank's part of a parameter p, where it is not a DTensor.
_LOCAL = {"FullyShardedDataParallel": "p", "ShardedTensor": "p.local_tensor()"}
#: What stands for a tensor of integers.
_NO_WEIGHTS = np.empty(0, np.float32)


def named_weights(
    network_name: str, network: object, *, may_be_empty: bool = False
) -> tuple[list[str], list[Any]]:
    """Names and float tensors or arrays of a network, in its order; integers are left out.

    Raises:
        NetworkError: there are none, which some shard of a small network may have, or something in
            it is no array of numbers.
    """
    names, tensors = [], []
    for name, value in _items(network_name, network):
        tensor = _as_floats(value)
        if tensor is None:
            raise NetworkError(
                f"{name!r} of network {network_name!r} is a {type(value).__name__}, no weights"
            )
        if size_of(tensor):
            names.append(name)
            tensors.append(tensor)
    if not names and not may_be_empty:
        raise NetworkError(f"network {network_name!r} has no floating-point weights to push")
    return names, tensors


def unwrapped(network: Any) -> Any:
    """The network inside what torch wraps around one: DDP, `torch.compile`, averages."""
    kind: type = type(network)
    place = _place_inside(kind)
    return unwrapped(getattr(network, place)) if place and hasattr(network, place) else network


@cache
def _place_inside(kind: type) -> str:
    # By name: a trainer that compiles or distributes nothing shall not pay for those imports.
    names = (base.__name__ for base in kind.__mro__)
    return next((WRAPPERS[name] for name in names if name in WRAPPERS), "")


def _items(network_name: str, network: object) -> Iterable[tuple[str, Any]]:
    named_parameters = getattr(unwrapped(network), "named_parameters", None)
    if callable(named_parameters):
        return ((name.replace(COMPILED, ""), value) for name, value in named_parameters())
    if isinstance(network, Mapping):
        return network.items()
    raise NetworkError(
        f"network {network_name!r} is a {type(network).__name__}; "
        "push a torch module or a mapping of names to arrays"
    )


def check_weights(network_name: str, network: object, names: list[str], tensors: list[Any]) -> None:
    """What needs a look only when the network is new or has changed.

    Raises:
        NetworkError: it holds no numbers, or only this rank's part of them.
        BadNameError: a tensor's name breaks the naming rule.
    """
    for name in names:
        check_name(name, what=f"tensor of {network_name}", longest=MAX_METRIC_NAME)
    modules = getattr(network, "modules", None)
    parts = tuple(modules()) if callable(modules) else ()
    for part in (*parts, *tensors):
        if getattr(part, "is_meta", False):
            raise NetworkError(f"network {network_name!r} is on the meta device: it has no weights")
        kind = sharded_kind(part)
        if kind:
            raise NetworkError(
                f"network {network_name!r} is a {kind}, of which this rank holds only a part; push "
                f"the parts from every rank: push_weights(step, {{{network_name!r}: {{name: "
                f"{_LOCAL.get(kind, 'p.to_local()')} for name, p in net.named_parameters()}}}}, "
                "shard=(rank, number of ranks))"
            )


def is_torch(value: object) -> bool:
    """Whether `value` is a torch tensor; never imports torch."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def _as_floats(value: Any) -> Any:
    """A float tensor or array, an empty array for integers, None for what is no array of numbers.

    Complex weights are two reals each.
    """
    if is_torch(value):
        tensor = value.detach()
        if tensor.is_complex():
            return sys.modules["torch"].view_as_real(tensor.resolve_conj())
        return tensor if tensor.is_floating_point() else _NO_WEIGHTS
    array = as_numpy(value)
    if array.dtype.kind == "c":
        return np.stack([array.real, array.imag], -1)
    if array.dtype.kind == "f" or array.dtype.name == "bfloat16":
        return array
    return _NO_WEIGHTS if array.dtype.kind in "iub" else None


def as_numpy(value: Any) -> NDArray[Any]:
    """An array of any library by NumPy's protocol, else by DLPack; no copy if that can be."""
    if hasattr(value, "__array__") or not hasattr(value, "__dlpack__"):
        return np.asarray(value)
    return np.from_dlpack(value)


def size_of(tensor: Any) -> int:
    """Number of elements of a tensor or array."""
    return int(tensor.numel() if is_torch(tensor) else tensor.size)
