"""A weights frame to the points of S and of the scalars."""

import math
from collections.abc import Sequence

from monitor.stability.angle import AngleTerms
from monitor.stability.block import block_terms
from monitor.stability.sketched import sketch_stderr
from monitor.store.blocks import Block, Cell
from monitor.worker.weight_frames import EPOCH_PAIR, NetworkBlock, WeightsFrame


def weights_block(run: str, segment: str, frame: WeightsFrame) -> Block:
    """Every point that a weights frame gives: S of networks and tensors, scalars, failures."""
    block = Block(run, segment, "weights", frame.rows)
    for network in frame.networks:
        if network.shard is None:
            _add_angles(block, network)
    for name, values in frame.scalars.items():
        for row, value in values:
            block.add(name, _scalar(row, value))
    for metric, row, reason in frame.failures:
        block.add(metric, Cell(row, None, status="failed", reason=reason))
    return block


def _scalar(row: int, value: float) -> Cell:
    if math.isfinite(value):
        return Cell(row, value)
    return Cell(row, None, status="nonfinite", reason=f"the trainer sent {value}")


def _add_angles(block: Block, network: NetworkBlock) -> None:
    tensor_cells: list[list[Cell]] = [[] for _ in network.tensors]
    for (_, _, row, kind, lag), terms in zip(
        network.pairs.tolist(), pair_terms(network), strict=True
    ):
        cell = _angle_cell(network, terms, row, abs(lag))
        if kind == EPOCH_PAIR:
            block.add(f"S.{network.name}@epoch", cell)
            continue
        block.add(f"S.{network.name}", cell)
        for cells, one in zip(tensor_cells, terms, strict=True):
            if one.finite:
                cells.append(Cell(row, one.angle(), n=abs(lag)))
    for tensor, cells in zip(network.tensors, tensor_cells, strict=True):
        for cell in _last_and_largest(cells):
            block.add(f"S.{network.name}/{tensor.name}", cell)


def pair_terms(network: NetworkBlock) -> list[tuple[AngleTerms, ...]]:
    """For each pair of snapshots the terms of each tensor; a shard may hold no tensor at all."""
    first, second = network.pairs[:, 0].tolist(), network.pairs[:, 1].tolist()
    tensors = [block_terms(network.snapshots[:, t.span], first, second) for t in network.tensors]
    return list(zip(*tensors, strict=True)) if tensors else [()] * len(first)


def _angle_cell(network: NetworkBlock, terms: Sequence[AngleTerms], row: int, lag: int) -> Cell:
    total = sum(terms, AngleTerms())
    if not total.finite or math.isnan(total.angle()):
        return Cell(row, None, n=lag, status="nonfinite", reason=_nonfinite(network, terms))
    stderr = None
    if network.sketched:
        stderr = sketch_stderr(terms, buckets_of(network))
    return Cell(row, total.angle(), stderr, lag)


def buckets_of(network: NetworkBlock) -> list[int | None]:
    """Buckets of each tensor's sketch, None where it is exact."""
    return [None if t.exact else t.span.stop - t.span.start for t in network.tensors]


def _nonfinite(network: NetworkBlock, terms: Sequence[AngleTerms]) -> str:
    return broken(network, terms) or f"all weights of {network.name} are zero"


def broken(network: NetworkBlock, terms: Sequence[AngleTerms]) -> str:
    """Which tensors hold NaN or Inf, "" if none does."""
    bad = [t.name for t, one in zip(network.tensors, terms, strict=True) if _is_broken(one)]
    if not bad:
        return ""
    more = f" and {len(bad) - 1} more tensors" if len(bad) > 1 else ""
    return f"NaN or Inf in the weights of {network.name}: {bad[0]}{more}"


def _is_broken(terms: AngleTerms) -> bool:
    """NaN or Inf; a tensor of zeros, as biases begin, has no angle of its own but is sound."""
    return not math.isfinite(terms.weight_square + terms.change_square)


def _last_and_largest(cells: list[Cell]) -> list[Cell]:
    """The last and the largest of a block: enough to see which tensor jumped, at a fraction."""
    if not cells:
        return []
    largest = max(cells, key=lambda cell: cell.value or 0.0)
    return [largest] if largest is cells[-1] else [largest, cells[-1]]
