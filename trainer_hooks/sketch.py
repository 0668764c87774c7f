"""The linear projection of a weight vector: small enough to send every iteration.

Each tensor of n weights is multiplied by fixed random signs and summed into k buckets, weight i
into bucket i mod k (a count sketch with a strided bucket map). The map is linear, so
sketch(W') − sketch(W) = sketch(W' − W): the small difference between two iterations keeps its
relative accuracy, and sketches of shards add up. Tensors with n ≤ k are stored exactly.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Buckets of one network: 256 KiB of float32 a push (issue 3: at most 256 KiB for each network).
BUCKETS = 65536
#: Fewest buckets of a tensor that is not stored exactly, so that hundreds of tensors keep an angle.
MIN_BUCKETS = 64
#: Signs before they repeat, half a MiB however large the network is. It is prime, so that all
#: weights of one bucket meet signs of their own: two alike lie SIGNS · k weights apart.
SIGNS = 524_287
#: Weights multiplied at once on the CPU: 256 KiB of float32 stay in the second-level cache.
BLOCK_WEIGHTS = 65536
#: On a device every block costs three launches, and 4 bytes a weight, 8 where weights are halves: a
#: twelfth of the network, 0.3 or 0.7 bytes a parameter.
DEVICE_BLOCK_SHARE = 1 / 12


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
        self._block = max(int(sum(self.sizes) * DEVICE_BLOCK_SHARE), BLOCK_WEIGHTS)
        self._tables: dict[str, Any] = {}

    def project(self, tensors: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
        """(sum k,) float32 sketch of flat NumPy arrays, in the order of `sizes`."""
        signs = self._signs("numpy", lambda table: table)
        return np.concatenate(
            [
                _signed_sums(tensor, signs, start, width, BLOCK_WEIGHTS, _float_array)
                for tensor, start, width in zip(tensors, self._starts, self.widths, strict=True)
            ]
        )

    def project_torch(self, tensors: Sequence[Any], torch: Any) -> Any:
        """(sum k,) float32 sketch of flat tensors, computed on their device and stream."""
        if all(tensor.device.type == "cpu" for tensor in tensors):
            return torch.from_numpy(self.project([tensor.float().numpy() for tensor in tensors]))
        return self._project_on_device(tensors, torch)

    def _project_on_device(self, tensors: Sequence[Any], torch: Any) -> Any:
        pieces = []
        for tensor, start, width in zip(tensors, self._starts, self.widths, strict=True):
            signs = self._signs(
                str(tensor.device), functools.partial(torch.tensor, device=tensor.device)
            )
            pieces.append(
                _signed_sums(tensor, signs, start, width, self._block, torch.Tensor.float)
            )
        return torch.cat([piece.to(pieces[0].device) for piece in pieces])

    def _signs(self, place: str, bring: Callable[[Any], Any]) -> Any:
        """(SIGNS + n,) int8 signs; the last n are the first again, for blocks that go round."""
        if place not in self._tables:
            generator = np.random.Generator(np.random.PCG64(self.seed))
            once = generator.integers(0, 2, SIGNS, dtype=np.int8) * 2 - 1
            again = min(max(self._block, *self.widths), SIGNS)
            self._tables[place] = bring(np.concatenate([once, once[:again]]))
        return self._tables[place]


def _float_array(values: NDArray[Any]) -> NDArray[np.float32]:
    return values.astype(np.float32, copy=False)


def _signed_sums(
    weights: Any, signs: Any, start: int, width: int, block: int, as_float: Callable[[Any], Any]
) -> Any:
    """Signed weights summed into their buckets, a block of whole rows of buckets at a time."""
    if len(weights) == width:
        return as_float(weights)
    whole = len(weights) // width * width
    step = max(1, min(block, SIGNS) // width) * width
    sums: Any = None
    for first in range(0, whole, step):
        part = weights[first : min(first + step, whole)]
        folded = _signed(as_float(part), signs, start + first).reshape(-1, width).sum(0)
        sums = folded if sums is None else sums.__iadd__(folded)
    rest = as_float(weights[whole:])
    if len(rest):
        sums[: len(rest)] += _signed(rest, signs, start + whole)
    return sums


def _signed(part: Any, signs: Any, start: int) -> Any:
    return part * signs[start % SIGNS : start % SIGNS + len(part)]
