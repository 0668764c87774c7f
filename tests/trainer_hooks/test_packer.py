"""Pushes to frames: adjacent snapshots joined once, epochs closed, every row in its place."""

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.worker.weight_frames import NetworkBlock, WeightsFrame, weights_frame
from trainer_hooks.landing import Landing
from trainer_hooks.packer import WeightsPacker
from trainer_hooks.pushes import Moment, WeightsPush
from trainer_hooks.scalars import MOST_SCALARS
from trainer_hooks.snapshot import Layout, Snapshot
from trainer_hooks.wire import EPOCH_PAIR, STEP_PAIR, Frame

Pair = tuple[float, float, int, int]


def push(
    step: int,
    networks: dict[str, int] | None = None,
    *,
    epoch: float | None = None,
    size: int = 2,
    scalars: dict[str, Any] | None = None,
    failures: tuple[tuple[str, str], ...] = (),
) -> WeightsPush:
    """Networks by the number of their call; every weight is the step."""
    layout = Layout("full", 0, (("w", size, size),))
    snapshots = {
        name: Snapshot(layout, Landing(np.full(size, step, np.float32))) for name in networks or {}
    }
    moment = Moment(step, epoch, float(step))
    return WeightsPush(moment, snapshots, networks or {}, scalars or {}, failures)


def packed(frame: Frame) -> WeightsFrame:
    """The content, as the worker reads it."""
    return weights_frame(Frame(frame.kind, {**frame.header}, frame.tensors))


def pairs(content: WeightsFrame, name: str, kind: int) -> list[Pair]:
    """(earlier weights, later weights, step of the row, lag); the weights are their steps."""
    found: list[Pair] = []
    for block in content.networks:
        if block.name == name:
            for first, second, row, its_kind, lag in block.pairs.tolist():
                if its_kind == kind:
                    steps = int(content.rows.step[row])
                    found.append((*_weights(block, first, second), steps, lag))
    return found


def _weights(block: NetworkBlock, first: int, second: int) -> tuple[float, float]:
    return float(block.snapshots[first][0]), float(block.snapshots[second][0])


@given(st.lists(st.integers(1, 30), min_size=1, max_size=8))
def test_adjacent_calls_are_joined_whatever_frames_they_fall_into(cuts: list[int]) -> None:
    packer = WeightsPacker()
    pushes = [push(10 * call, {"G": call}) for call in range(sum(cuts))]
    found: list[Pair] = []
    rows: list[int] = []
    for first, last in itertools.pairwise([0, *itertools.accumulate(cuts)]):
        content = packed(packer.pack(pushes[first:last]))
        found += pairs(content, "G", STEP_PAIR)
        rows += content.rows.seq.tolist()
    steps = [10 * call for call in range(sum(cuts))]
    assert found == [(a, b, b, 10) for a, b in itertools.pairwise(steps)]
    assert rows == list(range(sum(cuts)))
    assert packer.rows == sum(cuts)


def test_calls_that_are_not_adjacent_are_not_joined() -> None:
    packer = WeightsPacker()
    content = packed(packer.pack([push(call, {"G": call}) for call in (0, 1, 4, 5, 7, 9, 10)]))
    assert [pair[:2] for pair in pairs(content, "G", STEP_PAIR)] == [(0, 1), (4, 5), (9, 10)]


def test_each_snapshot_travels_once_a_frame() -> None:
    content = packed(WeightsPacker().pack([push(call, {"G": call}) for call in range(50)]))
    assert len(content.networks[0].snapshots) == 50
    assert len(content.networks[0].pairs) == 49


def test_networks_have_calls_of_their_own() -> None:
    pushes = [push(0, {"G": 0, "D": 0}), push(1, {"D": 1}), push(2, {"G": 1, "D": 2})]
    content = packed(WeightsPacker().pack(pushes))
    assert pairs(content, "G", STEP_PAIR) == [(0, 2, 2, 2)]
    assert pairs(content, "D", STEP_PAIR) == [(0, 1, 1, 1), (1, 2, 2, 1)]


def test_lone_snapshot_waits_and_sends_nothing() -> None:
    packer = WeightsPacker()
    content = packed(packer.pack([push(0, {"G": 0}, scalars={"loss": 0.5})]))
    assert content.networks == ()
    assert content.scalars == {"loss": [(0, 0.5)]}
    assert packer.nbytes == 8


@pytest.mark.parametrize("frames", [1, 2, 11])
def test_epochs_are_joined_by_their_last_snapshots(frames: int) -> None:
    packer = WeightsPacker()
    epochs = [0.0, 0.5, 1.0, 1.5, 1.9, 2.0, 2.5, 3.0, 3.0, 3.2, 3.7]
    pushes = [push(step, {"G": step}, epoch=epoch) for step, epoch in enumerate(epochs)]
    found: list[Pair] = []
    step = -(-len(pushes) // frames)
    for first in range(0, len(pushes), step):
        found += pairs(packed(packer.pack(pushes[first : first + step])), "G", EPOCH_PAIR)
    # Last of epoch 0, 1, 2 are steps 1, 4, 6; the row is that of the later one.
    assert found == [(1, 4, 4, 3), (4, 6, 6, 2)]
    end = packer.close()
    assert end is not None
    content = packed(end)
    assert pairs(content, "G", EPOCH_PAIR) == [(6, 10, 10, 4)]
    assert (content.rows.seq.tolist(), content.rows.step.tolist()) == ([10, 11], [10, 10])
    assert packer.close() is None


def test_the_end_of_thinned_snapshots_is_no_step_back() -> None:
    packer = WeightsPacker()
    packer.pack([push(step, {"G": step}, epoch=step // 2) for step in range(5)])
    packer.pack([push(step, epoch=2.5, scalars={"loss": 1.0}) for step in (5, 6)])
    end = packer.close()
    assert end is not None
    content = packed(end)
    # The pair is at its later snapshot; the run goes on where it was.
    assert pairs(content, "G", EPOCH_PAIR) == [(3, 4, 4, 1)]
    assert (content.rows.seq.tolist(), content.rows.step.tolist()) == ([4, 7], [4, 6])


def test_without_epochs_nothing_is_closed() -> None:
    packer = WeightsPacker()
    packer.pack([push(step, {"G": step}) for step in range(3)])
    packer.pack([push(3, {"G": 3}, epoch=0.0), push(4, {"G": 4}, epoch=0.5)])
    assert packer.close() is None


def test_row_that_a_later_frame_closes_is_named_there_again() -> None:
    packer = WeightsPacker()
    packer.pack([push(0, {"G": 0}, epoch=0), push(1, {"G": 1}, epoch=1)])
    content = packed(packer.pack([push(2, {"G": 2}, epoch=2)]))
    assert content.rows.seq.tolist() == [2, 1]
    assert pairs(content, "G", EPOCH_PAIR) == [(0, 1, 1, 1)]


def test_network_that_changes_shape_fails_once_and_goes_on() -> None:
    packer = WeightsPacker()
    pushes = [push(step, {"G": step}, size=2 if step < 2 else 3, epoch=step) for step in range(5)]
    assert packer.fitting(pushes) == 2
    packer.pack(pushes[:2])
    assert packer.fitting(pushes[2:]) == 3
    content = packed(packer.pack(pushes[2:]))
    ((metric, row, reason),) = content.failures
    assert (metric, row) == ("S.G", 0)
    assert "changed shape: 2 weights in 1 tensors before, 3 in 1 now" in reason
    assert pairs(content, "G", STEP_PAIR) == [(2, 3, 3, 1), (3, 4, 4, 1)]
    assert pairs(content, "G", EPOCH_PAIR) == [(2, 3, 3, 1)]
    assert packer.networks == {"G": {"parameters": 3, "tensors": 1, "weights": "full"}}


def test_frame_holds_only_so_many_scalar_names() -> None:
    packer = WeightsPacker()
    half = MOST_SCALARS // 2 + 1
    pushes = [push(i, scalars={f"{i}.{j}": 0.0 for j in range(half)}) for i in range(3)]
    assert packer.fitting(pushes) == 1
    full = [push(0, scalars={str(j): 0.0 for j in range(MOST_SCALARS)}), push(1)]
    assert packer.fitting(full) == 2
    assert packer.fitting([]) == 0


def test_failures_and_scalars_lie_at_their_rows() -> None:
    pushes = [
        push(5, scalars={"a": 1.0}),
        push(6, scalars={"b": 2.0, "a": 3.0}, failures=(("S.E", "it is empty"),)),
    ]
    content = packed(WeightsPacker().pack(pushes))
    assert content.scalars == {"a": [(0, 1.0), (1, 3.0)], "b": [(1, 2.0)]}
    assert content.failures == (("S.E", 1, "it is empty"),)


def test_lags_follow_the_steps_also_backwards() -> None:
    content = packed(
        WeightsPacker().pack([push(s, {"G": c}) for c, s in enumerate((0, 5, 500, 3))])
    )
    assert [lag for *_, lag in pairs(content, "G", STEP_PAIR)] == [5, 495, -497]
