"""Networks to arrays, without waiting for the device."""

import sys
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from trainer_hooks.landing import Landing, launch_beside
from trainer_hooks.parameters import check_weights, is_torch, named_weights, size_of
from trainer_hooks.shards import Shard, Slot, slot_of
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
        shard: which part of the network they are; None: the whole.
    """

    form: Form
    seed: int
    tensors: tuple[tuple[str, int, int], ...]
    shard: Shard | None = None

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
        self._known: dict[Slot, _Known] = {}

    def take(self, name: str, network: object, shard: Shard | None = None) -> Snapshot:
        """Copy or project the weights of `network` as they are now.

        Args:
            name: of the network.
            network: module or mapping of names to arrays.
            shard: which part of it this is; a part may be empty.
        Raises:
            NetworkError: it has no floating-point weights, is neither module nor mapping, holds
                something that is no weight, or only this rank's part.
            BadNameError: a tensor's name breaks the naming rule.
        """
        names, tensors = named_weights(name, network, may_be_empty=shard is not None)
        sizes = tuple(zip(names, map(size_of, tensors), strict=True))
        slot = slot_of(name, shard)
        known = self._known.get(slot)
        if known is None or known.sizes != sizes or known.layout.shard != shard:
            check_weights(name, network, names, tensors)
            known = self._known[slot] = self._plan(sizes, shard)
        with np.errstate(all="ignore"):  # Inf and NaN are an answer, not an accident.
            if any(map(is_torch, tensors)):
                return _take_torch(known, tensors, sys.modules["torch"])
            return Snapshot(known.layout, Landing(_join(tensors, known.projection)))

    def _plan(self, sizes: tuple[tuple[str, int], ...], shard: Shard | None) -> _Known:
        total_bytes = sum(size for _, size in sizes) * FLOAT32_BYTES
        small = total_bytes <= self._full_limit_bytes
        if self._weights == "full" or (self._weights == "auto" and small) or not sizes:
            layout = Layout("full", 0, tuple((name, size, size) for name, size in sizes), shard)
            return _Known(sizes, layout, None)
        projection = Projection([size for _, size in sizes])
        pairs = zip(sizes, projection.widths, strict=True)
        tensors = tuple((name, size, width) for (name, size), width in pairs)
        return _Known(sizes, Layout("sketch", projection.seed, tensors, shard), projection)


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
    return value if is_torch(value) else torch.from_numpy(np.array(value, np.float32))
