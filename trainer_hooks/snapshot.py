"""Networks to host arrays, without waiting for the device."""

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from trainer_hooks.errors import NetworkError
from trainer_hooks.keys import MAX_METRIC_NAME, check_name
from trainer_hooks.sketch import Projection

Form = Literal["full", "sketch"]
#: ``auto`` sends a network in full up to this size in float32, bytes (contract: 4 MiB).
FULL_LIMIT_BYTES = 4 * 2**20
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

    @property
    def width(self) -> int:
        """Numbers of one snapshot."""
        return sum(k for _, _, k in self.tensors)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The weights of one network at one step, perhaps still on their way to the host.

    Attributes:
        layout: what the numbers are.
        values: (width,) float32 host array or tensor.
        ready: CUDA event after which `values` is complete, or None.
    """

    layout: Layout
    values: Any
    ready: Any = None

    @property
    def nbytes(self) -> int:
        """Bytes on the host."""
        return self.layout.width * FLOAT32_BYTES

    def array(self) -> NDArray[np.float32]:
        """(width,) float32; waits for the copy, so only the sender calls it."""
        if self.ready is not None:
            self.ready.synchronize()
        values = self.values
        return values if isinstance(values, np.ndarray) else np.asarray(values.numpy())


class Snapshots:
    """Takes snapshots of the networks of one run.

    Args:
        weights: ``full``, ``sketch`` or ``auto``.
    """

    def __init__(self, weights: str) -> None:
        self._weights = weights
        self._known: dict[str, tuple[tuple[tuple[str, int], ...], Layout, Projection | None]] = {}

    def take(self, name: str, network: object) -> Snapshot:
        """Copy or project the weights of `network` as they are now.

        Raises:
            NetworkError: it has no floating-point weights, or is neither module nor mapping.
        """
        names, tensors = _named_weights(name, network)
        sizes = tuple(zip(names, map(_size, tensors), strict=True))
        known = self._known.get(name)
        if known is None or known[0] != sizes:
            known = (sizes, *self._plan(sizes))
            self._known[name] = known
        _, layout, projection = known
        torch = _torch_of(tensors)
        if torch is None:
            arrays = [np.asarray(tensor).reshape(-1) for tensor in tensors]
            return Snapshot(layout, _join(arrays, projection))
        return _take_torch(layout, tensors, projection, torch)

    def _plan(self, sizes: tuple[tuple[str, int], ...]) -> tuple[Layout, Projection | None]:
        total_bytes = sum(size for _, size in sizes) * FLOAT32_BYTES
        if self._weights == "full" or (self._weights == "auto" and total_bytes <= FULL_LIMIT_BYTES):
            return Layout("full", 0, tuple((name, size, size) for name, size in sizes)), None
        projection = Projection([size for _, size in sizes])
        pairs = zip(sizes, projection.widths, strict=True)
        tensors = tuple((name, size, width) for (name, size), width in pairs)
        return Layout("sketch", projection.seed, tensors), projection


def _named_weights(network_name: str, network: object) -> tuple[list[str], list[Any]]:
    names, tensors = [], []
    for name, value in _items(network_name, network):
        tensor = value if _is_torch(value) else _as_numpy(value)
        if not _is_float(tensor) or _size(tensor) == 0:
            continue
        names.append(check_name(name, what=f"tensor of {network_name}", longest=MAX_METRIC_NAME))
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


def _is_torch(value: object) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def _torch_of(tensors: list[Any]) -> Any:
    return sys.modules["torch"] if any(map(_is_torch, tensors)) else None


def _as_numpy(value: Any) -> NDArray[Any]:
    if hasattr(value, "__array__") or not hasattr(value, "__dlpack__"):
        return np.asarray(value)
    return np.from_dlpack(value)


def _is_float(tensor: Any) -> bool:
    if _is_torch(tensor):
        return bool(tensor.is_floating_point())
    return bool(tensor.dtype.kind == "f" or tensor.dtype.name == "bfloat16")


def _size(tensor: Any) -> int:
    return int(tensor.numel() if _is_torch(tensor) else tensor.size)


def _join(arrays: list[NDArray[Any]], projection: Projection | None) -> NDArray[np.float32]:
    if projection is not None:
        return projection.project([array.astype(np.float32, copy=False) for array in arrays])
    joined = np.empty(sum(array.size for array in arrays), np.float32)
    start = 0
    for array in arrays:
        joined[start : start + array.size] = array
        start += array.size
    return joined


def _take_torch(
    layout: Layout, tensors: list[Any], projection: Projection | None, torch: Any
) -> Snapshot:
    with torch.no_grad():
        flat = [torch.as_tensor(tensor).detach().reshape(-1) for tensor in tensors]
        if projection is not None:
            joined = projection.project_torch(flat, torch)
        else:
            joined = torch.cat([tensor.to(flat[0].device, torch.float32) for tensor in flat])
        if joined.device.type != "cuda":
            return Snapshot(layout, joined.cpu().numpy())
        return _copy_beside(layout, joined, torch)


def _copy_beside(layout: Layout, joined: Any, torch: Any) -> Snapshot:
    """Start the copy to pinned memory on a side stream; the training stream never waits for it."""
    host = torch.empty(joined.shape, dtype=torch.float32, pin_memory=True)
    side = torch.cuda.Stream(joined.device)
    side.wait_stream(torch.cuda.current_stream(joined.device))
    with torch.cuda.stream(side):
        host.copy_(joined, non_blocking=True)
        joined.record_stream(side)
        ready = side.record_event()
    return Snapshot(layout, host, ready)
