"""A CUDA device that is not there: its tensors are held by the CPU, and refuse to meet the CPU's.

What a kernel computes, or how fast, it cannot tell. It tells that everything happens on the device:
an operation on tensors of two devices raises, as it does on a GPU, and so does `numpy()`; so does
an index from the host, which a GPU takes, but waits for.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from trainer_hooks import device

DEVICE = "cuda:0"
aten = torch.ops.aten
#: By a number that is on the host they multiply with its reciprocal (BinaryDivTrueKernel.cu).
DIVISIONS = {aten.div.Tensor, aten.div.Scalar, aten.div_.Tensor, aten.div_.Scalar}
#: They take tensors from one device to another.
COPIES = {aten._to_copy.default, aten.copy_.default}


class OnDevice(Tensor):
    """A tensor on the device."""

    held: Tensor

    @staticmethod
    def __new__(cls, held: Tensor) -> "OnDevice":
        made: OnDevice = Tensor._make_wrapper_subclass(
            cls,
            held.size(),
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device=torch.device(DEVICE),
        )
        made.held = held
        return made

    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, operation: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        return _run(operation, args, kwargs or {})

    # Neither reaches the dispatcher.
    def tolist(self) -> Any:
        return self.held.tolist()

    def numpy(self, *, force: bool = False) -> Any:
        if not force:
            raise TypeError("can't convert cuda:0 device type tensor to numpy")
        return self.held.numpy(force=True)

    def record_stream(self, stream: Any) -> None:
        stream.log.append("memory kept")


class Stream:
    """A stream, and the events on it, that note in one log what is asked of them."""

    log: list[str]

    def __init__(self, device: Any = None, name: str = "side") -> None:
        self.name = name

    def wait_stream(self, other: "Stream") -> None:
        self.log.append(f"{self.name} waits for {other.name}")

    def record_event(self, event: Any = None) -> "Stream":
        assert event == "waiting takes no CPU time"
        self.log.append(f"event on {self.name}")
        return self

    def synchronize(self) -> None:
        self.log.append(f"host waits for {self.name}")


class _Mode(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Sees what has no tensor to take, such as `torch.zeros(3, device="cuda")`."""

    def __torch_dispatch__(
        self, operation: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        return _run(operation, args, kwargs or {})


def _run(operation: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    tensors = [each for each in tree_leaves((args, kwargs)) if isinstance(each, Tensor)]
    mine = any(isinstance(each, OnDevice) for each in tensors)
    strangers = [each for each in tensors if not isinstance(each, OnDevice) and each.dim()]
    if mine and strangers and operation not in COPIES:
        raise RuntimeError(f"{operation}: expected all tensors to be on the same device")
    wanted = kwargs.get("device")
    there = mine if wanted is None else torch.device(wanted).type == "cuda"
    if operation is aten.copy_.default:
        there = isinstance(args[0], OnDevice)
    own: dict[str, Any] = {"device": "cpu"} if wanted is not None else {}
    own |= {"pin_memory": False} if kwargs.get("pin_memory") else {}
    held = {id(_held(each)): each for each in tensors}
    if mine and operation in DIVISIONS and not isinstance(args[1], OnDevice):
        dtype = torch.result_type(_held(args[0]), args[1])
        operation = aten.mul_.Tensor if operation._schema.is_mutable else aten.mul.Tensor
        args = (args[0], 1 / torch.as_tensor(args[1], dtype=dtype))
    answer = operation(*tree_map(_held, args), **{**tree_map(_held, kwargs), **own})

    def wrapped(value: Any) -> Any:
        if not isinstance(value, Tensor) or not there:
            return value
        # What was written in place is the tensor that it was.
        return held[id(value)] if id(value) in held else OnDevice(value)

    return tree_map(wrapped, answer)


def _held(value: Any) -> Any:
    return value.held if isinstance(value, OnDevice) else value


@contextlib.contextmanager
def pretended_gpu() -> Iterator[list[str]]:
    """The device is there, in this thread; gives the log of its streams."""
    # Without CUDA, devices of that type have no guard at all.
    torch._C._ensureCUDADeviceGuardSet()
    Stream.log = []
    mode = _Mode()  # type: ignore[no-untyped-call]
    with pytest.MonkeyPatch.context() as patch, mode:
        patch.setattr(torch.cuda, "_lazy_init", lambda: None)
        patch.setattr(torch.cuda, "Stream", Stream)
        patch.setattr(torch.cuda, "current_stream", lambda device=None: Stream(name="trainer's"))
        patch.setattr(torch.cuda, "stream", _entered)
        patch.setattr(torch.cuda, "Event", _event)
        # Streams of this device are not to stay.
        patch.setattr(device, "_sides", {})
        # It brings numbers to a device below the dispatcher.
        plain = torch.tensor
        patch.setattr(
            torch,
            "tensor",
            lambda data, dtype=None, device="cpu": plain(data, dtype=dtype).to(device),
        )
        # `Module.to` would else put a tensor of one kind into one of another.
        before = torch.__future__.get_overwrite_module_params_on_conversion()
        torch.__future__.set_overwrite_module_params_on_conversion(True)
        try:
            yield Stream.log
        finally:
            torch.__future__.set_overwrite_module_params_on_conversion(before)


def _event(*, blocking: bool) -> str:
    return "waiting takes no CPU time" if blocking else "waiting spins"


@contextlib.contextmanager
def _entered(stream: Stream) -> Iterator[None]:
    Stream.log.append(f"into {stream.name}")
    yield


def without_inference_mode(call: Callable[..., Any]) -> Callable[..., Any]:
    """The same under `no_grad`: tensors of inference mode cannot be held."""
    plain: Callable[..., Any] = call.__wrapped__  # type: ignore[attr-defined]
    return torch.no_grad()(plain)
