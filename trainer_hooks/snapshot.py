"""Networks to arrays, without waiting for the device."""

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from trainer_hooks.collective import sharded_kind
from trainer_hooks.errors import NetworkError
from trainer_hooks.keys import MAX_METRIC_NAME, check_name
from trainer_hooks.landing import Landing, launch_beside
from trainer_hooks.sketch import Projection

Form = Literal["full", "sketch"]
#: ``auto`` sends a network in full up to this size in float32, bytes (contract: 4 MiB).
FULL_LIMIT_BYTES = 4 * 2**20
#: ... or up to this share of the byte budget, if that is less.
FULL_LIMIT_SHARE = 1 / 32
FLOAT32_BYTES = 4


@dataclass(frozen=True, slots=True)
class Layout:
    """What a snapshot's numbers are.

    Attributes:
        form: ``full`` or ``sketch``.
        seed: of the sketch; 0 for ``full``.
        tensors: (name, weights n, numbers k) in order; k = n where stored exactly.
    """

    form: Form
    seed: int
    tensors: tuple[tuple[str, int, int], ...]

    @property
    def parameters(self) -> int:
        """Number of weights of the network."""
        return sum(n for _, n, _ in self.tensors)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The weights of one network at one step.

    Attributes:
        layout: what the numbers are.
        values: (width,) float32, perhaps still on their way to the host.
    """

    layout: Layout
    values: Landing


@dataclass(frozen=True, slots=True)
class _Known:
    """A network as it was at its last snapshot."""

    sizes: tuple[tuple[str, int], ...]
    layout: Layout
    projection: Projection | None


class Snapshots:
    """Takes snapshots of the networks of one run.

    Args:
        weights: ``full``, ``sketch`` or ``auto``.
        budget_bytes: of the run.
    """

    def __init__(self, weights: str, budget_bytes: int) -> None:
        self._weights = weights
        self._full_limit_bytes = min(FULL_LIMIT_BYTES, int(budget_bytes * FULL_LIMIT_SHARE))
        self._known: dict[str, _Known] = {}

    def take(self, name: str, network: object) -> Snapshot:
        """Copy or project the weights of `network` as they are now.

        Raises:
            NetworkError: it has no floating-point weights, is neither module nor mapping, holds
                something that is no weight, or only this rank's part.
            BadNameError: a tensor's name breaks the naming rule.
        """
        names, tensors = _named_weights(name, network)
        sizes = tuple(zip(names, map(_size, tensors), strict=True))
        known = self._known.get(name)
        if known is None or known.sizes != sizes:
            _check(name, network, names, tensors)
            known = self._known[name] = self._plan(sizes)
        with np.errstate(all="ignore"):  # Inf and NaN are an answer, not an accident.
            if any(map(_is_torch, tensors)):
                return _take_torch(known, tensors, sys.modules["torch"])
            return Snapshot(known.layout, Landing(_join(tensors, known.projection)))

    def _plan(self, sizes: tuple[tuple[str, int], ...]) -> _Known:
        total_bytes = sum(size for _, size in sizes) * FLOAT32_BYTES
        small = total_bytes <= self._full_limit_bytes
        if self._weights == "full" or (self._weights == "auto" and small):
            layout = Layout("full", 0, tuple((name, size, size) for name, size in sizes))
            return _Known(sizes, layout, None)
        projection = Projection([size for _, size in sizes])
        pairs = zip(sizes, projection.widths, strict=True)
        tensors = tuple((name, size, width) for (name, size), width in pairs)
        return _Known(sizes, Layout("sketch", projection.seed, tensors), projection)


def _named_weights(network_name: str, network: object) -> tuple[list[str], list[Any]]:
    names, tensors = [], []
    for name, value in _items(network_name, network):
        tensor = _as_floats(value)
        if tensor is None:
            raise NetworkError(
                f"{name!r} of network {network_name!r} is a {type(value).__name__}, no weights"
            )
        if _size(tensor):
            names.append(name)
            tensors.append(tensor)
    if not names:
        raise NetworkError(f"network {network_name!r} has no floating-point weights to push")
    return names, tensors


def _items(network_name: str, network: object) -> Iterable[tuple[str, Any]]:
    named_parameters = getattr(network, "named_parameters", None)
    if callable(named_parameters):
        items: Iterable[tuple[str, Any]] = named_parameters()
        return items
    if isinstance(network, Mapping):
        return network.items()
    raise NetworkError(
        f"network {network_name!r} is a {type(network).__name__}; "
        "push a torch module or a mapping of names to arrays"
    )


def _check(network_name: str, network: object, names: list[str], tensors: list[Any]) -> None:
    """What needs a look only when the network is new or has changed."""
    for name in names:
        check_name(name, what=f"tensor of {network_name}", longest=MAX_METRIC_NAME)
    modules = getattr(network, "modules", None)
    parts = tuple(modules()) if callable(modules) else ()
    for part in (*parts, *tensors):
        kind = sharded_kind(part)
        if kind:
            raise NetworkError(
                f"network {network_name!r} is a {kind}, of which this rank holds only a part; "
                "sharded networks are not supported yet"
            )


def _is_torch(value: object) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def _as_floats(value: Any) -> Any:
    """A float tensor or array, an empty array for integers, None for what is no array of numbers.

    Complex weights are two reals each.
    """
    if _is_torch(value):
        tensor = value.detach()
        if tensor.is_complex():
            return sys.modules["torch"].view_as_real(tensor.resolve_conj())
        return tensor if tensor.is_floating_point() else _NO_WEIGHTS
    array = _as_numpy(value)
    if array.dtype.kind == "c":
        return np.stack([array.real, array.imag], -1)
    if array.dtype.kind == "f" or array.dtype.name == "bfloat16":
        return array
    return _NO_WEIGHTS if array.dtype.kind in "iub" else None


_NO_WEIGHTS = np.empty(0, np.float32)


def _as_numpy(value: Any) -> NDArray[Any]:
    if hasattr(value, "__array__") or not hasattr(value, "__dlpack__"):
        return np.asarray(value)
    return np.from_dlpack(value)


def _size(tensor: Any) -> int:
    return int(tensor.numel() if _is_torch(tensor) else tensor.size)


def _join(arrays: list[NDArray[Any]], projection: Projection | None) -> NDArray[np.float32]:
    flat = [array.reshape(-1) for array in arrays]
    if projection is not None:
        return projection.project(flat)
    joined = np.empty(sum(array.size for array in flat), np.float32)
    start = 0
    for array in flat:
        joined[start : start + array.size] = array
        start += array.size
    return joined


def _take_torch(known: _Known, tensors: list[Any], torch: Any) -> Snapshot:
    with torch.no_grad():
        flat = [_as_tensor(tensor, torch).reshape(-1) for tensor in tensors]
        if known.projection is not None:
            joined = known.projection.project_torch(flat, torch)
        else:
            joined = torch.cat([tensor.to(flat[0].device, torch.float32) for tensor in flat])
        return Snapshot(known.layout, launch_beside(joined, torch))


def _as_tensor(value: Any, torch: Any) -> Any:
    return value if _is_torch(value) else torch.from_numpy(np.array(value, np.float32))
