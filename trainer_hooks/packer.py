"""Weights pushes to frames: many rows in one columnar block, snapshots joined into pairs."""

import math
from collections.abc import Sequence
from typing import Any

from trainer_hooks.landing import Landing
from trainer_hooks.pushes import Moment, WeightsPush
from trainer_hooks.scalars import MOST_SCALARS
from trainer_hooks.shards import Slot, slot_of
from trainer_hooks.snapshot import Layout
from trainer_hooks.tables import Kept, Row, Tables
from trainer_hooks.wire import EPOCH_PAIR, STEP_PAIR, Frame


class WeightsPacker:
    """Packs the weights pushes of one segment.

    Between frames it keeps the newest snapshot of each network and the last of its closed epoch.

    Attributes:
        rows: rows packed so far; the next row's number.
        networks: what the dashboard shows of each network.
    """

    def __init__(self) -> None:
        self.rows = 0
        self.networks: dict[str, dict[str, Any]] = {}
        self._newest: dict[Slot, Kept] = {}
        self._closed_epoch: dict[Slot, Kept] = {}
        self._last: Moment | None = None

    @property
    def nbytes(self) -> int:
        """Bytes of the snapshots it keeps."""
        kept = [*self._newest.values(), *self._closed_epoch.values()]
        return sum({id(one.values): one.values.nbytes for one in kept}.values())

    def fitting(self, pushes: Sequence[WeightsPush]) -> int:
        """How many of `pushes` fit into one frame: one layout a network, not too many names."""
        layouts: dict[Slot, Layout] = {}
        scalars: set[str] = set()
        for count, push in enumerate(pushes):
            scalars.update(push.scalars)
            if count and len(scalars) > MOST_SCALARS:
                return count
            for name, snapshot in push.networks.items():
                layout = snapshot.layout
                if layouts.setdefault(slot_of(name, layout.shard), layout) != layout:
                    return count
        return len(pushes)

    def pack(self, pushes: Sequence[WeightsPush]) -> Frame:
        """One frame of all `pushes` (see `fitting`); waits for what is still on a device."""
        tables = Tables()
        for push in pushes:
            push.land()
            row = self._new_row(push.moment)
            index = tables.row(row)
            for name, snapshot in push.networks.items():
                kept = Kept(row, push.calls[name], snapshot.layout, snapshot.values.array())
                self._add_snapshot(name, kept, tables)
            for metric, reason in push.failures:
                tables.add_failure(metric, index, reason)
            for name, value in push.scalars.items():
                assert not isinstance(value, Landing)
                tables.add_scalar(name, index, value)
        return tables.frame()

    def close(self) -> Frame | None:
        """The last epoch ends with the run: a frame with its pairs, if there are any."""
        if not self._closed_epoch or self._last is None:
            return None
        tables = Tables()
        for slot, closed in self._closed_epoch.items():
            newest = self._newest[slot]
            row = tables.row(newest.row)
            tables.network(slot[0], newest.layout).join(closed, newest, row, EPOCH_PAIR)
        # A row of its own: frames are told apart by the row they end at. It is where the run is,
        # which thinned snapshots may be behind: a step before that would be a step back.
        tables.row(self._new_row(self._last))
        self._closed_epoch = {}
        return tables.frame()

    def _new_row(self, moment: Moment) -> Row:
        self.rows += 1
        self._last = moment
        return Row(self.rows - 1, moment)

    def _add_snapshot(self, name: str, kept: Kept, tables: Tables) -> None:
        """Join the snapshot with the one before it, or say why not if the network changed."""
        slot = slot_of(name, kept.layout.shard)
        before, self._newest[slot] = self._newest.get(slot), kept
        if before is None or before.layout != kept.layout:
            self.networks[name] = _described(
                [one.layout for (other, _), one in self._newest.items() if other == name]
            )
        table = tables.network(name, kept.layout)
        if before is None:
            return
        if before.layout != kept.layout:
            self._closed_epoch.pop(slot, None)
            reason = _change(name, before.layout, kept.layout)
            tables.add_failure(f"S.{name}", tables.row(kept.row), reason)
            return
        if before.call + 1 == kept.call:
            table.join(before, kept, tables.row(kept.row), STEP_PAIR)
        if _new_epoch(before.row.moment, kept.row.moment):
            closed = self._closed_epoch.get(slot)
            if closed is not None:
                table.join(closed, before, tables.row(before.row), EPOCH_PAIR)
            self._closed_epoch[slot] = before


def _new_epoch(before: Moment, now: Moment) -> bool:
    if before.epoch is None or now.epoch is None:
        return False
    return math.floor(now.epoch) != math.floor(before.epoch)


def _described(layouts: Sequence[Layout]) -> dict[str, Any]:
    """A network by the shards of it that are here, one if it is whole."""
    return {
        "parameters": sum(layout.parameters for layout in layouts),
        "tensors": sum(len(layout.tensors) for layout in layouts),
        "weights": layouts[0].form,
    }


def _change(name: str, before: Layout, after: Layout) -> str:
    if before.shard != after.shard:
        return f"network {name} is pushed whole by one call and as a shard by the next"
    return (
        f"network {name} changed shape: {before.parameters} weights in {len(before.tensors)} "
        f"tensors before, {after.parameters} in {len(after.tensors)} now; no angle joins them"
    )
