"""S from snapshots and sketches, against the definition in 50 digits."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from monitor.store.blocks import Block, Cell
from monitor.worker.angles import weights_block
from monitor.worker.weight_frames import EPOCH_PAIR, STEP_PAIR, weights_frame
from tests.reference.angle import weight_angle
from tests.store.posting import rows_of
from trainer_hooks.sketch import Projection
from trainer_hooks.wire import Frame

Snapshots = NDArray[np.float32]
#: Names and sizes of a small network's tensors.
TENSORS = (("conv.weight", 300), ("conv.bias", 7), ("head.weight", 93))
SIZE = sum(size for _, size in TENSORS)
IN_FULL = tuple((name, size, size) for name, size in TENSORS)
Pair = tuple[int, int, int, int, int]


def steps(count: int) -> list[Pair]:
    """Adjacent pairs of `count` snapshots, the later one's row counting from 0."""
    return [(i, i + 1, i, STEP_PAIR, 1) for i in range(count - 1)]


def block_of(
    snapshots: NDArray[Any],
    pairs: Sequence[Pair],
    *,
    form: str = "full",
    tensors: Sequence[tuple[str, int, int]] = IN_FULL,
    **header: Any,
) -> Block:
    """What the worker makes of one network's snapshots."""
    network = {"name": "G", "index": 0, "form": form, "tensors": [list(t) for t in tensors]}
    told = {"networks": [network], "scalars": [], "failures": [], **header}
    rows = 1 + max((pair[2] for pair in pairs), default=0)
    tables = {
        **rows_of(range(rows)),
        "network.0.snapshots": snapshots.astype(np.float32),
        "network.0.pairs": np.array(pairs, np.int64).reshape(-1, 5),
    }
    return weights_block("demo", "segment", weights_frame(Frame("weights", told, tables)))


def walk(count: int, change: float) -> Snapshots:
    """Snapshots that differ by `change` relative to their length."""
    generator = np.random.default_rng(3)
    moves = generator.normal(size=(count, SIZE)) * np.array([[1.0]] + [[change]] * (count - 1))
    snapshots: Snapshots = moves.cumsum(axis=0).astype(np.float32)
    return snapshots


def values(block: Block, metric: str) -> list[float | None]:
    return [cell.value for cell in block.cells[metric]]


def span(name: str) -> slice:
    """Where a tensor's numbers lie."""
    start = 0
    for tensor, size in TENSORS:
        if tensor == name:
            return slice(start, start + size)
        start += size
    raise KeyError(name)


@pytest.mark.parametrize("change", [1.0, 1e-2, 1e-4, 1e-6])
def test_network_and_tensors_by_the_definition(change: float) -> None:
    snapshots = walk(5, change)
    block = block_of(snapshots, steps(5))
    for row, value in enumerate(values(block, "S.G")):
        assert value == pytest.approx(weight_angle(snapshots[row], snapshots[row + 1]), rel=1e-9)
    assert [cell.stderr for cell in block.cells["S.G"]] == [None] * 4
    for name, _ in TENSORS:
        part = snapshots[:, span(name)]
        expected = [weight_angle(part[row], part[row + 1]) for row in range(4)]
        largest = max(range(4), key=expected.__getitem__)
        kept = [largest] if largest == 3 else [largest, 3]
        cells = block.cells[f"S.G/{name}"]
        assert [cell.row for cell in cells] == kept
        assert [cell.value for cell in cells] == pytest.approx(
            [expected[row] for row in kept], rel=1e-9
        )


def test_lag_and_epoch_pairs() -> None:
    snapshots = walk(4, 0.1)
    pairs = [(0, 2, 1, STEP_PAIR, 20), (0, 3, 0, EPOCH_PAIR, 500), (2, 1, 2, STEP_PAIR, -3)]
    block = block_of(snapshots, pairs)
    assert [(cell.row, cell.n) for cell in block.cells["S.G"]] == [(1, 20), (2, 3)]
    (epoch,) = block.cells["S.G@epoch"]
    expected = weight_angle(snapshots[0], snapshots[3])
    assert (epoch.row, epoch.n, epoch.status) == (0, 500, "ok")
    assert epoch.value == pytest.approx(expected, rel=1e-9)


def test_equal_snapshots_have_angle_zero() -> None:
    snapshots = np.repeat(walk(1, 1.0), 2, axis=0)
    assert values(block_of(snapshots, steps(2)), "S.G") == [0.0]


def test_sketch_of_small_tensors_is_exact() -> None:
    snapshots = walk(3, 1e-3)
    projection = Projection([size for _, size in TENSORS])
    assert projection.widths == tuple(size for _, size in TENSORS)
    block = block_of(snapshots, steps(3), form="sketch")
    expected = [weight_angle(snapshots[i], snapshots[i + 1]) for i in range(2)]
    assert values(block, "S.G") == pytest.approx(expected, rel=1e-9)
    assert [cell.stderr for cell in block.cells["S.G"]] == [0.0, 0.0]


@pytest.mark.parametrize("change", [1.0, 1e-3, 1e-5])
def test_sketch_keeps_small_angles_within_its_standard_error(change: float) -> None:
    generator = np.random.default_rng(5)
    sizes = (200_000, 64)
    first = generator.normal(size=sum(sizes)).astype(np.float32)
    second = first + change * generator.normal(size=first.size).astype(np.float32)
    projection = Projection(sizes, seed=7)
    sketches = [projection.project(np.split(snapshot, [sizes[0]])) for snapshot in (first, second)]
    tensors = [
        ("big", sizes[0], projection.widths[0]),
        ("small", sizes[1], projection.widths[1]),
    ]
    block = block_of(np.stack(sketches), steps(2), form="sketch", tensors=tensors)
    (cell,) = block.cells["S.G"]
    assert cell.value is not None
    assert cell.stderr is not None
    w, v = first.astype(np.float64), second.astype(np.float64)
    u, v = w / np.linalg.norm(w), v / np.linalg.norm(v)
    truth = 2 * np.arctan2(np.linalg.norm(u - v), np.linalg.norm(u + v))
    assert cell.stderr < 0.02 * truth
    assert abs(cell.value - truth) < 4 * cell.stderr


def test_broken_weights_name_the_tensor() -> None:
    snapshots = walk(3, 0.1)
    snapshots[1, span("head.weight").start] = np.nan
    # A bias of zeros, as they begin, is sound and must not be named.
    snapshots[:, span("conv.bias")] = 0.0
    block = block_of(snapshots, steps(3))
    for cell in block.cells["S.G"]:
        assert (cell.value, cell.status) == (None, "nonfinite")
        assert cell.reason == "NaN or Inf in the weights of G: head.weight"
    assert "S.G/head.weight" not in block.cells
    assert len(block.cells["S.G/conv.weight"]) in (1, 2)
    snapshots[2, 0] = np.inf
    block = block_of(snapshots, steps(3))
    assert block.cells["S.G"][1].reason.endswith("conv.weight and 1 more tensors")


def test_zero_network_has_no_angle() -> None:
    snapshots = np.zeros((2, SIZE), np.float32)
    (cell,) = block_of(snapshots, steps(2)).cells["S.G"]
    assert cell == Cell(0, None, status="nonfinite", reason="all weights of G are zero")
    snapshots[0] = 1.0
    (cell,) = block_of(snapshots, steps(2)).cells["S.G"]
    assert (cell.status, cell.reason) == ("nonfinite", "all weights of G are zero")


def test_zero_bias_does_not_spoil_its_network() -> None:
    snapshots = walk(2, 0.1)
    snapshots[:, span("conv.bias")] = 0.0
    (cell,) = block_of(snapshots, steps(2)).cells["S.G"]
    assert cell.value == pytest.approx(weight_angle(snapshots[0], snapshots[1]), rel=1e-9)


def test_failures_and_scalars_become_points() -> None:
    tables = rows_of(range(2))
    tables["scalar.0.row"] = np.array([0, 1])
    tables["scalar.0.value"] = np.array([0.25, np.inf])
    reason = "network G changed shape: 4 weights in 1 tensors before, 5 in 1 now"
    header = {
        "networks": [],
        "scalars": ["loss.G"],
        "failures": [{"metric": "S.G", "row": 1, "reason": reason}],
    }
    frame = weights_frame(Frame("weights", header, tables))
    block = weights_block("demo", "segment", frame)
    assert block.cells == {
        "loss.G": [
            Cell(0, 0.25),
            Cell(1, None, status="nonfinite", reason="the trainer sent inf"),
        ],
        "S.G": [Cell(1, None, status="failed", reason=reason)],
    }
