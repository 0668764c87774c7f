"""Frames to checked nouns: what arrives is not trusted, so every shape and index is looked at."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.store.blocks import MOST_ROWS, Rows
from trainer_hooks.errors import MOST_CHARACTERS, BadNameError, WireError
from trainer_hooks.keys import MAX_METRIC_NAME, MAX_RUN_NAME, check_name
from trainer_hooks.wire import Frame

#: Columns of the pair table: earlier and later snapshot, row, kind, lag in steps.
PAIR_COLUMNS = 5
#: Kinds of pairs: adjacent pushes; last pushes of consecutive epochs.
STEP_PAIR, EPOCH_PAIR = 0, 1
#: Whole numbers beyond this are not exact in browsers and in Redis' scripts.
MOST_COUNT = 2**53


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor of a network: its name, where its numbers lie, whether it is stored exactly."""

    name: str
    span: slice
    exact: bool


@dataclass(frozen=True, slots=True)
class NetworkBlock:
    """Snapshots of one network.

    Attributes:
        name: of the network.
        sketched: whether numbers are sketches.
        tensors: in the order of the numbers.
        snapshots: (S, width) float32.
        pairs: (P, 5) int64, see PAIR_COLUMNS.
    """

    name: str
    sketched: bool
    tensors: tuple[Tensor, ...]
    snapshots: NDArray[np.float32]
    pairs: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class WeightsFrame:
    """Rows of pushes with snapshots, scalars (row, value) and failures (metric, row, reason)."""

    rows: Rows
    networks: tuple[NetworkBlock, ...]
    scalars: dict[str, list[tuple[int, float]]]
    failures: tuple[tuple[str, int, str], ...]


@dataclass(frozen=True, slots=True)
class SamplesFrame:
    """A chunk of a sample batch.

    Attributes:
        rows: the one row of its batch.
        part: number of the chunk; `last`: no other follows.
        samples: (n, C, H, W) uint8 images or (n, …) float32.
        nonfinite, clipped: values that were NaN or Inf, or outside the range.
        failure: why the trainer could not make the batch, else "".
    """

    rows: Rows
    part: int
    last: bool
    samples: NDArray[Any]
    nonfinite: int
    clipped: int
    failure: str


def weights_frame(frame: Frame) -> WeightsFrame:
    """The checked content of a weights frame.

    Raises:
        WireError: a part is missing, or a shape, an index or a name is out of bounds.
    """
    try:
        rows = _rows(frame)
        count = rows.seq.size
        networks = tuple(_network(frame, entry, count) for entry in frame.header["networks"])
        scalars = {
            _name(name): _scalar(frame, index, count)
            for index, name in enumerate(frame.header["scalars"])
        }
        failures = tuple(
            (_name(f["metric"]), _index(f["row"], count), _reason(f["reason"]))
            for f in frame.header["failures"]
        )
    except (KeyError, TypeError, ValueError, AttributeError, BadNameError) as error:
        raise WireError(f"weights frame is malformed: {error!r}") from error
    return WeightsFrame(rows, networks, scalars, failures)


def samples_frame(frame: Frame) -> SamplesFrame:
    """The checked content of a samples frame.

    Raises:
        WireError: a part is missing or has a wrong type.
    """
    header = frame.header
    try:
        epoch = header["epoch"]
        rows = Rows.one(
            _whole(header["seq"]),
            _whole(header["step"]),
            float(epoch) if epoch is not None and math.isfinite(epoch) else None,
            _finite(header["time"]),
        )
        return SamplesFrame(
            rows=rows,
            part=_whole(header["part"]),
            last=bool(header["last"]),
            samples=frame.tensors["samples"],
            nonfinite=_whole(header["nonfinite"]),
            clipped=_whole(header["clipped"]),
            failure=_reason(header["failure"]),
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise WireError(f"samples frame is malformed: {error!r}") from error


def _rows(frame: Frame) -> Rows:
    seq, step = frame.tensors["row.seq"], frame.tensors["row.step"]
    epoch, time = frame.tensors["row.epoch"], frame.tensors["row.time"]
    if not (seq.dtype == step.dtype == np.int64 and epoch.dtype == time.dtype == np.float64):
        raise WireError("index columns have wrong dtypes")
    if seq.ndim != 1 or seq.size == 0 or {step.shape, epoch.shape, time.shape} != {seq.shape}:
        raise WireError(f"index columns differ in shape or are empty: {seq.shape}, {step.shape}")
    if seq.min() < 0 or step.min() < 0 or np.unique(seq).size != seq.size:
        raise WireError("row numbers and steps must not be negative, nor rows be given twice")
    if seq.max() >= MOST_ROWS or step.max() >= MOST_COUNT:
        raise WireError(f"row {seq.max()} or step {step.max()} is beyond {MOST_ROWS}, {MOST_COUNT}")
    if not np.isfinite(time).all():
        raise WireError("row times must be finite")
    # JSON has no infinity; an epoch that is none is left out.
    return Rows(seq, step, np.where(np.isfinite(epoch), epoch, np.nan), time)


def _network(frame: Frame, entry: dict[str, Any], rows: int) -> NetworkBlock:
    name = check_name(entry["name"], what="network name", longest=MAX_RUN_NAME)
    if entry["form"] not in ("full", "sketch"):
        raise WireError(f"network {name!r} has unknown form {entry['form']!r}")
    tensors, width = _tensors(entry["tensors"])
    snapshots = frame.tensors[f"network.{_whole(entry['index'])}.snapshots"]
    pairs = frame.tensors[f"network.{entry['index']}.pairs"]
    if snapshots.dtype != np.float32 or snapshots.ndim != 2 or snapshots.shape[1] != width:
        raise WireError(f"snapshots of {name!r} are {snapshots.shape}, expected (S, {width})")
    if pairs.dtype != np.int64 or pairs.ndim != 2 or pairs.shape[1] != PAIR_COLUMNS:
        raise WireError(f"pairs of {name!r} are {pairs.shape}, expected (P, {PAIR_COLUMNS})")
    bounds = np.array([len(snapshots), len(snapshots), rows, EPOCH_PAIR + 1])
    if ((pairs[:, :4] < 0) | (pairs[:, :4] >= bounds)).any():
        raise WireError(f"a pair of {name!r} points outside its tables")
    return NetworkBlock(name, entry["form"] == "sketch", tensors, snapshots, pairs)


def _tensors(entries: list[Any]) -> tuple[tuple[Tensor, ...], int]:
    tensors, start = [], 0
    for name, weights, numbers in entries:
        if not 1 <= _whole(numbers) <= _whole(weights):
            raise WireError(f"tensor {name!r} claims {numbers} numbers for {weights} weights")
        tensors.append(Tensor(_name(name), slice(start, start + numbers), numbers == weights))
        start += numbers
    return tuple(tensors), start


def _scalar(frame: Frame, index: int, count: int) -> list[tuple[int, float]]:
    rows = frame.tensors[f"scalar.{index}.row"]
    values = frame.tensors[f"scalar.{index}.value"]
    if rows.ndim != 1 or rows.shape != values.shape or rows.size == 0:
        raise WireError(f"scalar {index} has {rows.shape} rows and {values.shape} values")
    if rows.dtype != np.int64 or rows.min() < 0 or rows.max() >= count:
        raise WireError(f"scalar {index} points outside the row table")
    return list(zip(rows.tolist(), map(float, values.tolist()), strict=True))


def _name(name: Any) -> str:
    return check_name(name, what="name", longest=2 * MAX_METRIC_NAME)


def _reason(value: Any) -> str:
    """Text that fits a line and every program it passes through; a lone surrogate would not."""
    return " ".join(str(value).split()).encode(errors="replace").decode()[:MOST_CHARACTERS]


def _index(value: Any, count: int) -> int:
    if not 0 <= _whole(value) < count:
        raise WireError(f"row {value} is outside the {count} rows")
    return int(value)


def _whole(value: Any) -> int:
    if type(value) is not int or not 0 <= value < MOST_COUNT:
        raise WireError(f"{value!r} is no whole number from 0 to 2^53")
    return value


def _finite(value: Any) -> float:
    if not math.isfinite(float(value)):
        raise WireError(f"{value!r} is not finite")
    return float(value)
