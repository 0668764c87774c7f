"""The linear projection of a weight vector: small enough to send every iteration.

Each tensor of n weights is multiplied by fixed random signs and summed into k buckets, weight i
into bucket i mod k (a count sketch with a strided bucket map). The map is linear, so
sketch(W') − sketch(W) = sketch(W' − W): the small difference between two iterations keeps its
relative accuracy, and sketches of shards add up. Tensors with n ≤ k are stored exactly.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Buckets of one network: 256 KiB of float32 a push (issue 3: at most 256 KiB for each network).
BUCKETS = 65536
#: Fewest buckets of a tensor that is not stored exactly, so that hundreds of tensors keep an angle.
MIN_BUCKETS = 64
#: Weights multiplied at once on the CPU: 256 KiB of float32 stay in the second-level cache.
BLOCK_WEIGHTS = 65536


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
        self._signs: dict[tuple[int, str], Any] = {}

    def project(self, tensors: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
        """(sum k,) float32 sketch of flat NumPy arrays, in the order of `sizes`."""
        pieces = [
            tensor.astype(np.float32, copy=True)
            if tensor.size == width
            else _signed_sums(np.asarray(tensor, np.float32), self._numpy_signs(index), width)
            for index, (tensor, width) in enumerate(zip(tensors, self.widths, strict=True))
        ]
        return np.concatenate(pieces)

    def project_torch(self, tensors: Sequence[Any], torch: Any) -> Any:
        """(sum k,) float32 sketch of flat tensors, computed on their device and stream."""
        if all(tensor.device.type == "cpu" for tensor in tensors):
            return torch.from_numpy(self.project([t.float().numpy() for t in tensors]))
        pieces = []
        for index, (tensor, width) in enumerate(zip(tensors, self.widths, strict=True)):
            flat = tensor.float()
            if flat.numel() != width:
                flat = _signed_sums_torch(flat, self._device_signs(index, tensor, torch), width)
            pieces.append(flat)
        return torch.cat(pieces)

    def _numpy_signs(self, index: int) -> NDArray[np.int8]:
        key = (index, "cpu")
        if key not in self._signs:
            generator = np.random.Generator(np.random.PCG64([self.seed, index]))
            bits = generator.integers(0, 2, self.sizes[index], dtype=np.int8)
            self._signs[key] = bits * 2 - 1
        signs: NDArray[np.int8] = self._signs[key]
        return signs

    def _device_signs(self, index: int, tensor: Any, torch: Any) -> Any:
        key = (index, str(tensor.device))
        if key not in self._signs:
            self._signs[key] = torch.from_numpy(self._numpy_signs(index)).to(tensor.device)
            del self._signs[(index, "cpu")]
        return self._signs[key]


def _signed_sums(
    weights: NDArray[np.float32], signs: NDArray[np.int8], width: int
) -> NDArray[np.float32]:
    full = weights.size // width
    sums = np.zeros(width, np.float32)
    step = max(1, BLOCK_WEIGHTS // width)
    for first in range(0, full, step):
        part = slice(first * width, min(first + step, full) * width)
        sums += (weights[part] * signs[part]).reshape(-1, width).sum(0)
    rest = weights.size - full * width
    if rest:
        sums[:rest] += weights[full * width :] * signs[full * width :]
    return sums


def _signed_sums_torch(weights: Any, signs: Any, width: int) -> Any:
    full = weights.numel() // width
    sums = (weights[: full * width] * signs[: full * width]).view(full, width).sum(0)
    rest = weights.numel() - full * width
    if rest:
        sums[:rest] += weights[full * width :] * signs[full * width :]
    return sums
