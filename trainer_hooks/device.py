"""What the hooks ask of a CUDA device, so that a training on it neither waits nor breaks."""

import contextlib
import ctypes
import sys
import threading
from typing import Any

from trainer_hooks.errors import CaptureError

#: A thread that only minds captures of its own (CUstreamCaptureMode of the CUDA driver).
THREAD_LOCAL = 1

_sides: dict[str, Any] = {}
_own = threading.local()


def side_stream(device: Any) -> Any:
    """Our stream on a device, always the same: torch has 32, and gives them out in turn, so that
    the thirty-third would be one of the trainer's own."""
    name = str(device)
    if name not in _sides:
        _sides[name] = sys.modules["torch"].cuda.Stream(device)
    return _sides[name]


def mark(stream: Any) -> Any:
    """An event behind all that a stream was given so far; waiting for it takes no CPU time."""
    return stream.record_event(sys.modules["torch"].cuda.Event(blocking=True))


def refuse_capture() -> None:
    """Stop a call that would become a part of the trainer's CUDA graph, and spoil it.

    Raises:
        CaptureError: this thread captures one.
    """
    torch: Any = sys.modules.get("torch")
    if torch is None or not hasattr(torch, "cuda") or not torch.cuda.is_initialized():
        return
    if torch.cuda.is_current_stream_capturing():
        raise CaptureError(
            "called while a CUDA graph is captured, which would then hold our copies: call it "
            "after the graph's replay"
        )


def ignore_captures() -> None:
    """Let this thread use the device while another one captures a CUDA graph: as a thread comes,
    its first call then would end that capture with an error."""
    if getattr(_own, "ignores", False):
        return
    _own.ignores = True
    with contextlib.suppress(OSError, AttributeError):
        driver = ctypes.CDLL("libcuda.so.1")
        driver.cuThreadExchangeStreamCaptureMode(ctypes.byref(ctypes.c_int(THREAD_LOCAL)))
