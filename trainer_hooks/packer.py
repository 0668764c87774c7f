"""Pushes to frames: many rows in one columnar block, snapshots joined into pairs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer_hooks.pushes import Moment, SamplesPush, WeightsPush
from trainer_hooks.snapshot import Layout
from trainer_hooks.wire import Frame

#: Kinds of pairs on the wire.
STEP_PAIR, EPOCH_PAIR = 0, 1
#: Epoch column where the trainer gave none.
NO_EPOCH = math.nan


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the series: its number in the segment and its moment."""

    seq: int
    moment: Moment


@dataclass(frozen=True, slots=True)
class _Kept:
    """The newest snapshot of a network, kept for the next pair."""

    row: Row
    call: int
    layout: Layout
    values: NDArray[np.float32]


class _Rows:
    """The row table of one frame."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self._index: dict[int, int] = {}

    def index(self, row: Row) -> int:
        if row.seq not in self._index:
            self._index[row.seq] = len(self.rows)
            self.rows.append(row)
        return self._index[row.seq]

    def tensors(self) -> dict[str, NDArray[Any]]:
        moments = [row.moment for row in self.rows]
        epochs = [NO_EPOCH if m.epoch is None else m.epoch for m in moments]
        return {
            "row.seq": np.array([row.seq for row in self.rows], np.int64),
            "row.step": np.array([m.step for m in moments], np.int64),
            "row.epoch": np.array(epochs, np.float64),
            "row.time": np.array([m.time for m in moments], np.float64),
        }


class _NetworkBlock:
    """Snapshots and pairs of one network in one frame."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.snapshots: list[NDArray[np.float32]] = []
        self.pairs: list[tuple[int, int, int, int, int]] = []

    def add_pair(self, earlier: _Kept, later: _Kept, row: int, kind: int) -> None:
        lag = later.row.moment.step - earlier.row.moment.step
        first, second = self._snapshot(earlier.values), self._snapshot(later.values)
        self.pairs.append((first, second, row, kind, lag))

    def _snapshot(self, values: NDArray[np.float32]) -> int:
        for index, known in enumerate(self.snapshots):
            if known is values:
                return index
        self.snapshots.append(values)
        return len(self.snapshots) - 1


class WeightsPacker:
    """Packs weights pushes of one segment; keeps one snapshot a network between frames."""

    def __init__(self) -> None:
        self._seq = 0
        self._newest: dict[str, _Kept] = {}
        self._closed_epoch: dict[str, _Kept] = {}
        self.networks: dict[str, dict[str, Any]] = {}

    @property
    def rows(self) -> int:
        """Rows packed so far; the next row's number."""
        return self._seq

    def fitting(self, pushes: Sequence[WeightsPush]) -> int:
        """How many of `pushes` fit into one frame: a network has one layout a frame."""
        layouts: dict[str, Layout] = {}
        for count, push in enumerate(pushes):
            for name, snapshot in push.networks.items():
                if layouts.setdefault(name, snapshot.layout) != snapshot.layout:
                    return count
        return len(pushes)

    def pack(self, pushes: Sequence[WeightsPush]) -> Frame:
        """One frame of all `pushes` (see `fitting`)."""
        table = _Rows()
        blocks: dict[str, _NetworkBlock] = {}
        scalars: dict[str, list[tuple[int, float]]] = {}
        failures: list[dict[str, Any]] = []
        for push in pushes:
            row = Row(self._seq, push.moment)
            self._seq += 1
            index = table.index(row)
            for name in push.networks:
                reason = self._add_snapshot(name, push, row, table, blocks)
                failures += [_failure(f"S.{name}", index, reason)] if reason else []
            failures += [_failure(metric, index, why) for metric, why in push.failures]
            for name, value in push.scalars.items():
                scalars.setdefault(name, []).append((index, float(value)))
        return _frame(table, blocks, scalars, failures)

    def _add_snapshot(
        self,
        name: str,
        push: WeightsPush,
        row: Row,
        table: _Rows,
        blocks: dict[str, _NetworkBlock],
    ) -> str:
        """Join the snapshot with the one before it; why not, if the network changed."""
        snapshot = push.networks[name]
        kept = _Kept(row, push.calls[name], snapshot.layout, snapshot.array())
        before, self._newest[name] = self._newest.get(name), kept
        self._describe(name, snapshot.layout)
        block = blocks.setdefault(name, _NetworkBlock(snapshot.layout))
        if before is None:
            return ""
        if before.layout != kept.layout:
            self._closed_epoch.pop(name, None)
            return _change(name, before.layout, kept.layout)
        if before.call + 1 == kept.call:
            block.add_pair(before, kept, table.index(row), STEP_PAIR)
        if _new_epoch(before.row.moment, kept.row.moment):
            closed = self._closed_epoch.get(name)
            if closed is not None:
                block.add_pair(closed, before, table.index(before.row), EPOCH_PAIR)
            self._closed_epoch[name] = before
        return ""

    def _describe(self, name: str, layout: Layout) -> None:
        self.networks[name] = {
            "parameters": layout.parameters,
            "tensors": len(layout.tensors),
            "weights": layout.form,
        }


def _new_epoch(before: Moment, now: Moment) -> bool:
    if before.epoch is None or now.epoch is None:
        return False
    return math.floor(now.epoch) != math.floor(before.epoch)


def _change(name: str, before: Layout, after: Layout) -> str:
    return (
        f"network {name} changed shape: {before.parameters} weights in {len(before.tensors)} "
        f"tensors before, {after.parameters} in {len(after.tensors)} now; no angle joins them"
    )


def _failure(metric: str, row: int, reason: str) -> dict[str, Any]:
    return {"metric": metric, "row": row, "reason": reason}


def _frame(
    table: _Rows,
    blocks: dict[str, _NetworkBlock],
    scalars: dict[str, list[tuple[int, float]]],
    failures: list[dict[str, Any]],
) -> Frame:
    tensors = table.tensors()
    networks = []
    for index, (name, block) in enumerate(blocks.items()):
        if not block.pairs:
            continue
        networks.append(_network_header(name, index, block.layout))
        tensors[f"network.{index}.snapshots"] = np.stack(block.snapshots)
        tensors[f"network.{index}.pairs"] = np.array(block.pairs, np.int64)
    for index, entries in enumerate(scalars.values()):
        tensors[f"scalar.{index}.row"] = np.array([row for row, _ in entries], np.int64)
        tensors[f"scalar.{index}.value"] = np.array([value for _, value in entries], np.float64)
    header = {"networks": networks, "scalars": list(scalars), "failures": failures}
    return Frame("weights", header, tensors)


def _network_header(name: str, index: int, layout: Layout) -> dict[str, Any]:
    return {
        "name": name,
        "index": index,
        "form": layout.form,
        "seed": layout.seed,
        "tensors": [list(entry) for entry in layout.tensors],
    }


class SamplesPacker:
    """Packs sample pushes of one segment; numbers the parts of a batch in the order of sending."""

    def __init__(self) -> None:
        self._open: SamplesPush | None = None
        self._parts = 0

    def pack(self, push: SamplesPush) -> list[Frame]:
        """Frames for `push`; first the end of a batch whose own end was dropped."""
        frames = []
        if self._open is not None and self._open.batch != push.batch:
            frames.append(self._frame(self._open, None, last=True))
            self._parts = 0
        frames.append(self._frame(push, push, last=push.last))
        self._open = None if push.last else push
        self._parts = 0 if push.last else self._parts + 1
        return frames

    def _frame(self, batch: SamplesPush, push: SamplesPush | None, *, last: bool) -> Frame:
        chunk = push.chunk if push else None
        values = chunk.array() if chunk else np.zeros((0, 1, 1, 1), np.uint8)
        header = {
            "seq": batch.batch,
            "step": batch.moment.step,
            "epoch": batch.moment.epoch,
            "time": batch.moment.time,
            "part": self._parts,
            "last": last,
            "nonfinite": int(chunk.nonfinite) if chunk else 0,
            "clipped": int(chunk.clipped) if chunk else 0,
            "failure": push.failure if push else "",
        }
        return Frame("samples", header, {"samples": values})
