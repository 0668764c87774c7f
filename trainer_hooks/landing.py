"""Arrays on their way from a device to the host: the training thread never waits for them."""

import math
import sys
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer_hooks.device import ignore_captures, mark, side_stream


class Landing:
    """An array that may still be on a device, or on its way from it.

    Args:
        values: NumPy array or torch tensor that nobody writes to any more.
        ready: CUDA event after which `values` is complete; None: it is.
    """

    __slots__ = ("_ready", "_values", "nbytes", "shape")

    def __init__(self, values: Any, ready: Any = None) -> None:
        self._values = values
        self._ready = ready
        self.shape: tuple[int, ...] = tuple(values.shape)
        self.nbytes = math.prod(self.shape) * int(values.itemsize)

    @property
    def landed(self) -> bool:
        """Whether it is on the host."""
        return isinstance(self._values, np.ndarray)

    def array(self) -> NDArray[Any]:
        """The array on the host; waits for the device, so only the sender calls it."""
        if not self.landed:
            if self._ready is not None:
                ignore_captures()
                self._ready.synchronize()
            pinned = self._values.device.type == "cpu"
            with _aside(self._values):
                host = self._values.cpu().numpy()
            # Pinned memory is scarce: it goes back at once.
            self._values, self._ready = host.copy() if pinned else host, None
        array: NDArray[Any] = self._values
        return array


def _aside(values: Any) -> AbstractContextManager[None]:
    """Where a copy neither waits for what the trainer has started since, nor keeps it waiting."""
    if not getattr(values, "is_cuda", False):
        return nullcontext()
    torch = sys.modules["torch"]
    aside: AbstractContextManager[None] = torch.cuda.stream(side_stream(values.device))
    return aside


def launch(tensor: Any, torch: Any) -> Landing:
    """Leave `tensor` where it is until the sender fetches it: for what is small or rare."""
    if tensor.device.type == "cpu":
        return Landing(tensor.numpy())
    ready = None
    if tensor.is_cuda:
        # The sender reads from another stream, which must not overtake the trainer's.
        ready = mark(torch.cuda.current_stream(tensor.device))
    return Landing(tensor, ready)


def launch_beside(tensor: Any, torch: Any) -> Landing:
    """Start the copy to pinned memory on a side stream: for what is large and comes every step."""
    if not tensor.is_cuda:
        return launch(tensor, torch)
    host = torch.empty(tensor.shape, dtype=tensor.dtype, device="cpu", pin_memory=True)
    side = side_stream(tensor.device)
    side.wait_stream(torch.cuda.current_stream(tensor.device))
    with torch.cuda.stream(side):
        host.copy_(tensor, non_blocking=True)
        tensor.record_stream(side)
        ready = mark(side)
    return Landing(host, ready)
