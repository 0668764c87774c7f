"""Scalars of a push: which names are free, and their values without waiting for a device."""

import sys
from collections.abc import Mapping
from typing import Any

from trainer_hooks.collective import sharded_kind
from trainer_hooks.complaints import Complaints
from trainer_hooks.errors import HookError
from trainer_hooks.landing import Landing, launch
from trainer_hooks.names import MAX_METRIC_NAME, check_name, is_own_metric
from trainer_hooks.parameters import as_numpy

#: Scalars of one push: two tensors each, they fit into a frame (wire.MAX_TENSORS).
MOST_SCALARS = 1000
#: Names remembered, so that each is checked once and not at every step.
MOST_NAMES = 10_000
#: Bad scalars that the log names, each once: a mistake often spoils a whole family of them.
MOST_TOLD = 20


class Scalars:
    """Reads the scalars of one run's pushes.

    Args:
        complaints: where bad ones go.
    """

    def __init__(self, complaints: Complaints) -> None:
        self._complaints = complaints
        self._kept_names: dict[object, str] = {}
        self._told: set[str] = set()

    def read(self, scalars: Any) -> dict[str, float | Landing]:
        """Values by the names they are kept under; bad ones are counted and left out."""
        values: dict[str, float | Landing] = {}
        if not isinstance(scalars, Mapping):
            kind = type(scalars).__name__
            error = HookError(f"scalars must be a mapping of names to numbers, not a {kind}")
            self._refuse("of this push", error)
            return values
        for name, value in scalars.items():
            try:
                kept = self._kept_names.get(name) or self._kept_name(name)
                if kept in values or len(values) >= MOST_SCALARS:
                    raise HookError(f"given twice, or more than {MOST_SCALARS} in one push")
                values[kept] = _number(value)
            except Exception as error:
                self._refuse(repr(name), error)
        return values

    def _refuse(self, name: str, error: Exception) -> None:
        if len(self._told) < MOST_TOLD:
            self._told.add(name)
        topic = f"scalar {name}" if name in self._told else ""
        self._complaints.about(error, f"scalar {name} is not kept", "bad_scalar", topic)

    def _kept_name(self, name: str) -> str:
        kept = check_name(name, what="scalar name", longest=MAX_METRIC_NAME)
        if is_own_metric(name):
            kept = f"scalar.{name}"
            self._complaints.say(
                f"name {name}", f"scalar {name!r} has a metric's name; it is kept as {kept!r}"
            )
        if len(self._kept_names) < MOST_NAMES:
            self._kept_names[name] = kept
        return kept


def _number(value: Any) -> float | Landing:
    """A float, or a copy on its device that the sender reads, so that nothing waits here."""
    if isinstance(value, float | int):
        return float(value)
    if sharded_kind(value):
        raise HookError("it is spread over ranks; push this rank's local value")
    if hasattr(value, "detach"):
        return _tensor_number(value.detach())
    if hasattr(value, "__array__") or hasattr(value, "__dlpack__"):
        value = as_numpy(value)
    try:
        # NumPy's arrays of one number warn when float() is asked; item() takes exactly those.
        return float(value.item() if hasattr(value, "item") else value)
    except (TypeError, ValueError) as error:
        raise HookError(f"expected one number, got {type(value).__name__}: {error}") from error


def _tensor_number(tensor: Any) -> float | Landing:
    if tensor.numel() != 1:
        raise HookError(f"expected one number, got shape {tuple(tensor.shape)}")
    if tensor.device.type == "cpu":
        return float(tensor.item())
    torch = sys.modules["torch"]
    # Apple's devices know no float64.
    wide = torch.float32 if tensor.device.type == "mps" else torch.float64
    with torch.no_grad():
        return launch(tensor.reshape(()).to(wide, copy=True), torch)
