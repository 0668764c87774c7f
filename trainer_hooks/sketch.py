"""The linear projection of a weight vector: small enough to send every iteration.

Each tensor of n weights is multiplied by fixed random signs and summed into k buckets, weight i
into bucket i mod k (a count sketch with a strided bucket map). The map is linear, so
sketch(W') − sketch(W) = sketch(W' − W): the small difference between two iterations keeps its
relative accuracy, and sketches of shards add up. Tensors with n ≤ k are stored exactly.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Buckets of one network: 256 KiB of float32 a push (issue 3: at most 256 KiB for each network).
BUCKETS = 65536
#: Fewest buckets of a tensor that is not stored exactly, so that hundreds of tensors keep an angle.
MIN_BUCKETS = 64
#: Length of the table of signs, 16 MiB at most however large the network is. It is prime, so that
#: all weights of one bucket meet signs of their own: two alike lie SIGNS · k weights apart.
SIGNS = 16_777_259
#: Weights multiplied at once on the CPU: 256 KiB of float32 stay in the second-level cache.
BLOCK_WEIGHTS = 65536
#: Likewise on a device, where every block costs three launches: 64 MiB of float32. Less than SIGNS.
DEVICE_BLOCK_WEIGHTS = 16 * 2**20


def allocate(sizes: Sequence[int], budget: int = BUCKETS) -> tuple[int, ...]:
    """Buckets per tensor: small tensors exactly, the rest of the budget shared equally.

    Args:
        sizes: number of weights of each tensor.
        budget: buckets of the whole network; exceeded only by MIN_BUCKETS a tensor.
    Returns:
        k per tensor, in the order of `sizes`, each at most the tensor's size.
    """
    widths = [0] * len(sizes)
    left, waiting = budget, len(sizes)
    for index in sorted(range(len(sizes)), key=lambda i: sizes[i]):
        share = max(left // waiting, MIN_BUCKETS)
        widths[index] = min(sizes[index], share)
        left, waiting = left - widths[index], waiting - 1
    return tuple(widths)


class Projection:
    """The projection of one network, the same for all its pushes.

    Args:
        sizes: number of weights of each tensor.
        seed: of the signs; part of every frame, so that only equal projections are compared.
    """

    def __init__(self, sizes: Sequence[int], *, seed: int = 0) -> None:
        self.seed = seed
        self.sizes = tuple(sizes)
        self.widths = allocate(sizes)
        self._starts = [sum(self.sizes[:index]) for index in range(len(self.sizes))]
        self._tables: dict[str, Any] = {}

    def project(self, tensors: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
        """(sum k,) float32 sketch of flat NumPy arrays, in the order of `sizes`."""
        signs = _Signs(self._table(), np.concatenate)
        pieces = []
        for tensor, start, width in zip(tensors, self._starts, self.widths, strict=True):
            flat = tensor.astype(np.float32, copy=False)
            if flat.size != width:
                sums = np.zeros(width, np.float32)
                flat = _signed_sums(flat, signs, start, sums, BLOCK_WEIGHTS)
            pieces.append(flat)
        return np.concatenate(pieces)

    def project_torch(self, tensors: Sequence[Any], torch: Any) -> Any:
        """(sum k,) float32 sketch of flat tensors, computed on their device and stream."""
        if all(tensor.device.type == "cpu" for tensor in tensors):
            return torch.from_numpy(self.project([tensor.float().numpy() for tensor in tensors]))
        pieces = []
        for tensor, start, width in zip(tensors, self._starts, self.widths, strict=True):
            flat = tensor.float()
            if flat.numel() != width:
                signs = _Signs(self._device_table(flat.device, torch), torch.cat)
                sums = torch.zeros(width, dtype=torch.float32, device=flat.device)
                flat = _signed_sums(flat, signs, start, sums, DEVICE_BLOCK_WEIGHTS)
            pieces.append(flat)
        return torch.cat([piece.to(pieces[0].device) for piece in pieces])

    def _table(self) -> NDArray[np.int8]:
        if "numpy" not in self._tables:
            generator = np.random.Generator(np.random.PCG64(self.seed))
            length = min(sum(self.sizes), SIGNS)
            self._tables["numpy"] = generator.integers(0, 2, length, dtype=np.int8) * 2 - 1
        table: NDArray[np.int8] = self._tables["numpy"]
        return table

    def _device_table(self, device: Any, torch: Any) -> Any:
        if str(device) not in self._tables:
            self._tables[str(device)] = torch.from_numpy(self._table()).to(device)
        return self._tables[str(device)]


class _Signs:
    """Signs of a network's weights by their place in it: a table that repeats."""

    def __init__(self, table: Any, join: Callable[[list[Any]], Any]) -> None:
        self._table = table
        self._join = join

    def of(self, first: int, count: int) -> Any:
        """(count,) int8 signs of weights first … first + count − 1."""
        length = len(self._table)
        first %= length
        if first + count <= length:
            return self._table[first : first + count]
        return self._join([self._table[first:], self._table[: first + count - length]])


def _signed_sums(weights: Any, signs: _Signs, start: int, sums: Any, block: int) -> Any:
    """Add the signed weights to their buckets, a block of whole rows of buckets at a time."""
    width = len(sums)
    whole = len(weights) // width * width
    step = max(1, block // width) * width
    for first in range(0, whole, step):
        part = weights[first : min(first + step, whole)]
        sums += (part * signs.of(start + first, len(part))).reshape(-1, width).sum(0)
    rest = len(weights) - whole
    if rest:
        sums[:rest] += weights[whole:] * signs.of(start + whole, rest)
    return sums
