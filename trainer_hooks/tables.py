"""The tables of one weights frame: rows, snapshots with the pairs that join them, scalars."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer_hooks.pushes import Moment
from trainer_hooks.shards import Slot, slot_of
from trainer_hooks.sketch import BUCKETS
from trainer_hooks.snapshot import Layout
from trainer_hooks.wire import Frame

#: Epoch column where the trainer gave none.
NO_EPOCH = math.nan
#: Arrays of a network in a frame.
PARTS = ("snapshots", "pairs")


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the series: its number in the segment and its moment."""

    seq: int
    moment: Moment


@dataclass(frozen=True, slots=True)
class Kept:
    """A snapshot that may still be joined with a later one."""

    row: Row
    call: int
    layout: Layout
    values: NDArray[np.float32]


class NetworkTable:
    """Snapshots and pairs of one network."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._snapshots: list[NDArray[np.float32]] = []
        self._places: dict[int, int] = {}
        self._pairs: list[tuple[int, int, int, int, int]] = []
        self._calls: list[int] = []

    @property
    def empty(self) -> bool:
        """Whether nothing was joined; a lone snapshot waits for its successor in the packer."""
        return not self._pairs

    def join(self, earlier: Kept, later: Kept, row: int, kind: int) -> None:
        """Add a pair of snapshots."""
        lag = later.row.moment.step - earlier.row.moment.step
        first, second = self._place(earlier.values), self._place(later.values)
        self._pairs.append((first, second, row, kind, lag))
        self._calls.append(later.call)

    def header(self, name: str, index: int) -> dict[str, Any]:
        """Its entry in the frame's header."""
        shard = self._layout.shard
        return {
            "name": name,
            "index": index,
            "form": self._layout.form,
            "seed": self._layout.seed,
            "tensors": [list(entry) for entry in self._layout.tensors],
            **({} if shard is None else {"shard": [shard.index, shard.count]}),
        }

    def tensors(self, index: int) -> dict[str, NDArray[Any]]:
        """Its arrays by their names in the frame."""
        arrays: dict[str, NDArray[Any]] = {
            f"network.{index}.snapshots": np.stack(self._snapshots),
            f"network.{index}.pairs": np.array(self._pairs, np.int64),
        }
        if self._layout.shard is not None:
            arrays[f"network.{index}.calls"] = np.array(self._calls, np.int64)
        return arrays

    def _place(self, values: NDArray[np.float32]) -> int:
        if id(values) not in self._places:
            self._places[id(values)] = len(self._snapshots)
            self._snapshots.append(values)
        return self._places[id(values)]


class Tables:
    """Everything of one weights frame (docs/wire-format.md)."""

    def __init__(self) -> None:
        self._rows: dict[int, tuple[int, Row]] = {}
        self._networks: dict[Slot, NetworkTable] = {}
        self._scalars: dict[str, list[tuple[int, float]]] = {}
        self._failures: list[dict[str, Any]] = []

    def row(self, row: Row) -> int:
        """Index of a row in the frame; added if it is new."""
        return self._rows.setdefault(row.seq, (len(self._rows), row))[0]

    def network(self, name: str, layout: Layout) -> NetworkTable:
        """The table of a network, or of a shard of it; it has one layout in a frame."""
        return self._networks.setdefault(slot_of(name, layout.shard), NetworkTable(layout))

    def add_scalar(self, name: str, row: int, value: float) -> None:
        """Add a value of a scalar."""
        self._scalars.setdefault(name, []).append((row, value))

    def add_failure(self, metric: str, row: int, reason: str) -> None:
        """Say why a metric has no value at a row."""
        self._failures.append({"metric": metric, "row": row, "reason": reason})

    def frame(self) -> Frame:
        """The frame, without run and segment."""
        tensors = self._row_tensors()
        joined = {slot: table for slot, table in self._networks.items() if not table.empty}
        for index, table in enumerate(joined.values()):
            tensors.update(table.tensors(index))
        for index, entries in enumerate(self._scalars.values()):
            rows, values = zip(*entries, strict=True)
            tensors[f"scalar.{index}.row"] = np.array(rows, np.int64)
            tensors[f"scalar.{index}.value"] = np.array(values, np.float64)
        header = {
            "networks": [
                table.header(name, index) for index, ((name, _), table) in enumerate(joined.items())
            ],
            "scalars": list(self._scalars),
            "failures": self._failures,
        }
        return Frame("weights", header, tensors)

    def _row_tensors(self) -> dict[str, NDArray[Any]]:
        rows = [row for _, row in self._rows.values()]
        moments = [row.moment for row in rows]
        epochs = [NO_EPOCH if m.epoch is None else m.epoch for m in moments]
        return {
            "row.seq": np.array([row.seq for row in rows], np.int64),
            "row.step": np.array([m.step for m in moments], np.int64),
            "row.epoch": np.array(epochs, np.float64),
            "row.time": np.array([m.time for m in moments], np.float64),
        }


def detached(frame: Frame) -> tuple[Frame, Frame | None]:
    """A weights frame without its heavy snapshots, and these alone; None if it has none.

    Heavy is what takes more room than a sketch would: full weights of all but small networks.
    """
    entries = frame.header["networks"]
    heavy = [entry for entry in entries if _width(entry) > BUCKETS]
    if not heavy:
        return frame, None
    names = {f"network.{entry['index']}.{part}" for entry in heavy for part in PARTS}
    light = {name: tensor for name, tensor in frame.tensors.items() if name not in names}
    rest = [entry for entry in entries if entry not in heavy]
    return (
        Frame("weights", {**frame.header, "networks": rest}, light),
        Frame("weights", {"networks": heavy}, {name: frame.tensors[name] for name in names}),
    )


def attached(light: Frame, heavy: Frame) -> Frame:
    """The frame that `detached` took apart."""
    networks = [*light.header["networks"], *heavy.header["networks"]]
    header = {**light.header, "networks": networks}
    return Frame("weights", header, {**light.tensors, **heavy.tensors})


def _width(entry: dict[str, Any]) -> int:
    return sum(numbers for _, _, numbers in entry["tensors"])
