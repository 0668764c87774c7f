"""Frames of weights to checked nouns: what arrives is not trusted, so every shape and index is
looked at."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.store.blocks import MOST_ROWS, Rows
from monitor.worker import checks
from trainer_hooks.errors import WireError
from trainer_hooks.names import check_network, is_own_metric
from trainer_hooks.wire import EPOCH_PAIR as EPOCH_PAIR
from trainer_hooks.wire import MOST_SHARDS, PAIR_COLUMNS, Frame
from trainer_hooks.wire import STEP_PAIR as STEP_PAIR


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor of a network: its name, where its numbers lie, whether it is stored exactly."""

    name: str
    span: slice
    exact: bool


@dataclass(frozen=True, slots=True)
class Shard:
    """Which part of a network that is spread over ranks: `index` of `count`.

    Attributes:
        calls: (P,) int64, number of the call that pushed the later snapshot of each pair.
    """

    index: int
    count: int
    calls: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class NetworkBlock:
    """Snapshots of one network.

    Attributes:
        name: of the network.
        sketched: whether numbers are sketches.
        tensors: in the order of the numbers.
        snapshots: (S, width) float32.
        pairs: (P, 5) int64, see PAIR_COLUMNS.
        shard: None if the network is here as a whole.
    """

    name: str
    sketched: bool
    tensors: tuple[Tensor, ...]
    snapshots: NDArray[np.float32]
    pairs: NDArray[np.int64]
    shard: Shard | None = None


@dataclass(frozen=True, slots=True)
class WeightsFrame:
    """Rows of pushes with snapshots, scalars (row, value) and failures (metric, row, reason)."""

    rows: Rows
    networks: tuple[NetworkBlock, ...]
    scalars: dict[str, list[tuple[int, float]]]
    failures: tuple[tuple[str, int, str], ...]


def weights_frame(frame: Frame) -> WeightsFrame:
    """The checked content of a weights frame (docs/wire-format.md).

    Raises:
        WireError: a part is missing or given twice, or a shape, an index or a name is out of
            bounds.
    """
    header = frame.header
    try:
        rows = _rows(frame)
        count = rows.seq.size
        networks = tuple(_network(frame, entry, count) for entry in header["networks"])
        checks.unique((_slot(network) for network in networks), "network")
        checks.unique(header["scalars"], "scalar")
        scalars = {
            _scalar_name(name): _scalar(frame, index, count)
            for index, name in enumerate(header["scalars"])
        }
        failures = tuple(
            (
                checks.name(failure["metric"]),
                checks.index(failure["row"], count),
                checks.reason(failure["reason"]),
            )
            for failure in header["failures"]
        )
    except checks.MALFORMED as error:
        raise WireError(f"weights frame is malformed: {checks.quoted(error)}") from error
    return WeightsFrame(rows, networks, scalars, failures)


def _rows(frame: Frame) -> Rows:
    seq, step = frame.tensors["row.seq"], frame.tensors["row.step"]
    epoch, time = frame.tensors["row.epoch"], frame.tensors["row.time"]
    if not (seq.dtype == step.dtype == np.int64 and epoch.dtype == time.dtype == np.float64):
        raise WireError("index columns have wrong dtypes")
    if seq.ndim != 1 or seq.size == 0 or {step.shape, epoch.shape, time.shape} != {seq.shape}:
        raise WireError(f"index columns differ in shape or are empty: {seq.shape}, {step.shape}")
    if seq.min() < 0 or step.min() < 0 or np.unique(seq).size != seq.size:
        raise WireError("row numbers and steps must not be negative, nor rows be given twice")
    if seq.max() >= MOST_ROWS or step.max() >= checks.MOST_COUNT:
        raise WireError(f"row {seq.max()} or step {step.max()} is beyond {MOST_ROWS}, 2^53")
    if not np.isfinite(time).all():
        raise WireError("row times must be finite")
    # JSON has no infinity; an epoch that is none is left out.
    return Rows(seq, step, np.where(np.isfinite(epoch), epoch, np.nan), time)


def _network(frame: Frame, entry: dict[str, Any], rows: int) -> NetworkBlock:
    name, form = check_network(entry["name"]), entry["form"]
    if form not in ("full", "sketch"):
        raise WireError(f"network {name!r} has unknown form {checks.quoted(form)}")
    checks.whole(entry.get("seed", 0))
    tensors, width = _tensors(entry["tensors"])
    if form == "full" and not all(tensor.exact for tensor in tensors):
        raise WireError(f"network {name!r} is full, but not all of its tensors are")
    place = f"network.{checks.whole(entry['index'])}"
    snapshots, pairs = frame.tensors[f"{place}.snapshots"], frame.tensors[f"{place}.pairs"]
    if snapshots.dtype != np.float32 or snapshots.ndim != 2 or snapshots.shape[1] != width:
        raise WireError(f"snapshots of {name!r} are {snapshots.shape}, expected (S, {width})")
    _check_pairs(name, pairs, len(snapshots), rows)
    shard = _shard(entry, frame.tensors[f"{place}.calls"], pairs) if "shard" in entry else None
    return NetworkBlock(name, form == "sketch", tensors, snapshots, pairs, shard)


def _shard(entry: dict[str, Any], calls: NDArray[Any], pairs: NDArray[np.int64]) -> Shard:
    index, count = entry["shard"]
    if checks.whole(index) >= checks.whole(count) or count > MOST_SHARDS:
        raise WireError(f"shard {index} of {count} is none of at most {MOST_SHARDS}")
    if calls.dtype != np.int64 or calls.shape != pairs.shape[:1]:
        raise WireError(f"calls are {calls.dtype} {calls.shape}, expected one a pair")
    points = set(zip(calls.tolist(), pairs[:, 3].tolist(), strict=True))
    if len(points) < len(calls) or not all(0 <= call < MOST_ROWS for call, _ in points):
        raise WireError(f"calls are not whole, 0 to {MOST_ROWS}, each once for a kind of pair")
    return Shard(index, count, calls)


def _slot(network: NetworkBlock) -> str:
    """A network, or one shard of it; a name holds no "/"."""
    return network.name if network.shard is None else f"{network.name}/{network.shard.index}"


def _check_pairs(name: str, pairs: NDArray[Any], snapshots: int, rows: int) -> None:
    if pairs.dtype != np.int64 or pairs.ndim != 2 or pairs.shape[1] != PAIR_COLUMNS:
        raise WireError(f"pairs of {name!r} are {pairs.shape}, expected (P, {PAIR_COLUMNS})")
    if len(pairs) > (EPOCH_PAIR + 1) * rows:
        raise WireError(f"{name!r} has {len(pairs)} pairs; {rows} rows end one of each kind")
    bounds = np.array([snapshots, snapshots, rows, EPOCH_PAIR + 1])
    if ((pairs[:, :4] < 0) | (pairs[:, :4] >= bounds)).any():
        raise WireError(f"a pair of {name!r} points outside its tables")
    if ((pairs[:, 4] <= -checks.MOST_COUNT) | (pairs[:, 4] >= checks.MOST_COUNT)).any():
        raise WireError(f"a lag of {name!r} is beyond 2^53 steps")


def _tensors(entries: list[Any]) -> tuple[tuple[Tensor, ...], int]:
    tensors, start = [], 0
    for name, weights, numbers in entries:
        if not 1 <= checks.whole(numbers) <= checks.whole(weights):
            raise WireError(f"a tensor claims {numbers} numbers for {weights} weights")
        span = slice(start, start + numbers)
        tensors.append(Tensor(checks.name(name), span, numbers == weights))
        start += numbers
    checks.unique((tensor.name for tensor in tensors), "tensor")
    return tuple(tensors), start


def _scalar_name(name: Any) -> str:
    if is_own_metric(checks.name(name)):
        raise WireError(f"scalar {name!r} has the name of a metric")
    return str(name)


def _scalar(frame: Frame, index: int, count: int) -> list[tuple[int, float]]:
    rows = frame.tensors[f"scalar.{index}.row"]
    values = frame.tensors[f"scalar.{index}.value"]
    if rows.ndim != 1 or rows.shape != values.shape or rows.size == 0:
        raise WireError(f"scalar {index} has {rows.shape} rows and {values.shape} values")
    if rows.dtype != np.int64 or values.dtype != np.float64:
        raise WireError(f"scalar {index} has dtypes {rows.dtype} and {values.dtype}")
    if rows.min() < 0 or rows.max() >= count or np.unique(rows).size != rows.size:
        raise WireError(f"scalar {index} points outside the row table, or twice at one row")
    return list(zip(rows.tolist(), values.tolist(), strict=True))
