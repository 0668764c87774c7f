"""Networks spread over ranks: a frame to parts, and the parts of a point to its angle."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from monitor.stability.angle import AngleTerms
from monitor.stability.sketched import sketch_variances, stderr_of
from monitor.store.blocks import Block, Cell, Rows
from monitor.store.job import Job
from monitor.store.weight_parts import PointId, WeightPart, WeightParts
from monitor.worker.angles import broken, buckets_of, pair_terms
from monitor.worker.weight_frames import EPOCH_PAIR, NetworkBlock, Shard, WeightsFrame
from trainer_hooks.errors import WireError
from trainer_hooks.names import EPOCH_SUFFIX

#: Looks at points that another worker settles at the same time; the sweep finds the rest.
MOST_LOOKS = 3
#: Shards that a reason names.
NAMED_SHARDS = 8


def parts_of(job: Job, frame: WeightsFrame) -> list[WeightPart]:
    """What a frame brings of points whose network is spread over ranks.

    Raises:
        WireError: only rank 0 may push shard 0 and whole networks.
    """
    parts: list[WeightPart] = []
    for network in frame.networks:
        shard = network.shard
        if job.member and (shard is None or shard.index == 0):
            raise WireError(f"{network.name!r} of rank 0 comes from {job.segment!r}")
        if shard is not None:
            parts += _parts(job, frame.rows, network, shard)
    return parts


def settle(held: WeightParts, points: Sequence[PointId], *, overdue: bool = False) -> None:
    """Store those of `points` whose parts are there; if `overdue`, the others as failed."""
    for segment in {(point.run, point.segment) for point in points}:
        mine = [point for point in points if (point.run, point.segment) == segment]
        for _ in range(MOST_LOOKS):
            ready = {point: parts for point, parts in held.held(mine).items() if 0 in parts}
            if not ready or held.settle(_block(segment, ready, held.wait_s), [*ready]):
                break
        if overdue:
            held.forget([point for point in mine if point not in ready])


def _parts(job: Job, rows: Rows, network: NetworkBlock, shard: Shard) -> Iterable[WeightPart]:
    for (_, _, row, kind, lag), call, terms in zip(
        network.pairs.tolist(), shard.calls.tolist(), pair_terms(network), strict=True
    ):
        total = sum(terms, AngleTerms())
        epoch = float(rows.epoch[row])
        yield WeightPart(
            point=PointId(job.run, job.owner, network.name, kind, call),
            index=shard.index,
            count=shard.count,
            step=int(rows.step[row]),
            lag=lag,
            terms=(total.dot, total.weight_square, total.change_square),
            variances=sketch_variances(terms, buckets_of(network)),
            broken=broken(network, terms),
            row=(
                int(rows.seq[row]),
                int(rows.step[row]),
                None if np.isnan(epoch) else epoch,
                float(rows.time[row]),
            ),
        )


def _block(
    segment: tuple[str, str], ready: Mapping[PointId, Mapping[int, WeightPart]], wait_s: float
) -> Block:
    """The points as cells at the rows of rank 0."""
    moments = sorted({parts[0].row for parts in ready.values()}, key=lambda row: row[0])
    seq, step, epoch, time = zip(*moments, strict=True)
    rows = Rows(
        np.array(seq, np.int64),
        np.array(step, np.int64),
        np.array([np.nan if one is None else one for one in epoch], np.float64),
        np.array(time, np.float64),
    )
    block = Block(*segment, "weights", rows)
    places = {number: index for index, number in enumerate(seq)}
    for point, parts in sorted(ready.items(), key=lambda entry: entry[1][0].row[0]):
        suffix = EPOCH_SUFFIX if point.kind == EPOCH_PAIR else ""
        cell = _cell(places[parts[0].row[0]], point.network, parts, wait_s)
        block.add(f"S.{point.network}{suffix}", cell)
    return block


def _cell(row: int, network: str, parts: Mapping[int, WeightPart], wait_s: float) -> Cell:
    lag = abs(parts[0].lag)
    trouble = _trouble(parts, wait_s)
    if trouble:
        return Cell(row, None, n=lag, status="failed", reason=trouble)
    ordered = [parts[index] for index in range(parts[0].count)]
    total = sum((AngleTerms(*part.terms) for part in ordered), AngleTerms())
    if not total.finite:
        named = [f"{part.broken} (shard {part.index})" for part in ordered if part.broken]
        reason = named[0] if named else f"all weights of {network} are zero"
        return Cell(row, None, n=lag, status="nonfinite", reason=reason)
    weights, changes = (sum(part.variances[i] for part in ordered) for i in (0, 1))
    stderr = stderr_of(total, weights, changes) if weights else None
    return Cell(row, total.angle(), stderr, lag)


def _trouble(parts: Mapping[int, WeightPart], wait_s: float) -> str:
    """Why the parts make no whole, "" if they do."""
    first = parts[0]
    for index, part in sorted(parts.items()):
        if part.count != first.count:
            return (
                f"shard {index} is one of {part.count}, but shard 0 is one of {first.count}: "
                "every rank must pass shard=(rank, number of ranks)"
            )
        if (part.step, part.lag) != (first.step, first.lag):
            return (
                f"shard {index} joins steps {part.step - part.lag} and {part.step}, but shard 0 "
                f"{first.step - first.lag} and {first.step}: every rank must make the same calls"
            )
    missing = [str(index) for index in range(first.count) if index not in parts]
    if not missing:
        return ""
    more = f" and {len(missing) - NAMED_SHARDS} more" if len(missing) > NAMED_SHARDS else ""
    named = f"shard{'s' * (len(missing) > 1)} {', '.join(missing[:NAMED_SHARDS])}{more}"
    return f"{named} of {first.count} did not come within {wait_s:g} s"
