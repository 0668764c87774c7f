"""Parts of points: a network that is spread over ranks comes in shards, whose sums are added.

A part lies in Redis until its point is settled, by whichever worker sees that all parts are there
or that the rest was waited for long enough. Settling is one script, so it happens once; a bit a
call remembers it, so that a part which comes again or too late begins no point anew.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from monitor.store import scripts
from monitor.store.blocks import Block
from monitor.store.connection import Store, reachable, text
from monitor.store.finish import payload_of, result_keys, writes_of
from monitor.store.job import Job
from monitor.store.segments import ordinal_of
from trainer_hooks import keys

#: A part that is still missing so long after that of shard 0 fails its point, seconds (contract).
WAIT_S = 60.0
#: Parts without that of shard 0 are kept so long, seconds: as long as frames are.
UNPLACED_S = 3600.0
#: Calls whose settling one string remembers: 4 KiB.
CALLS_PER_CHUNK = 32_768
#: Points looked at in one sweep: more than come in between, should a rank be missing for good.
MOST_OVERDUE = 2048


@dataclass(frozen=True, slots=True)
class PointId:
    """A point of a network that is spread over ranks.

    Attributes:
        run, segment: of rank 0.
        network, kind: what it is an angle of; kind as in a frame's pairs.
        call: number of the call that pushed the later snapshot, the same on every rank.
    """

    run: str
    segment: str
    network: str
    kind: int
    call: int

    @property
    def name(self) -> str:
        """As it lies in the sets of points that wait."""
        return json.dumps([self.run, self.segment, self.network, self.kind, self.call])

    @property
    def bit(self) -> int:
        """Its place among the calls of its stretch."""
        return self.call % CALLS_PER_CHUNK

    @property
    def keys(self) -> list[str]:
        """Where its parts are held, and where it is remembered that it is settled."""
        about = (self.run, self.segment, self.network, self.kind)
        chunk = self.call // CALLS_PER_CHUNK
        return [keys.weight_parts(*about, self.call), keys.settled_calls(*about, chunk)]


@dataclass(frozen=True, slots=True)
class WeightPart:
    """What one shard contributes to a point.

    Attributes:
        point: which.
        index, count: shard `index` of `count`.
        step, lag: of the later snapshot, and steps since the earlier.
        terms: w·d, |w|², |d|² of this shard's weights; see `AngleTerms`.
        variances: of |w|² and |d|², times the square of each, from sketching.
        broken: what is not finite in them, "" if nothing.
        row: (number, step, epoch or None, time) of its row; only that of shard 0 counts.
    """

    point: PointId
    index: int
    count: int
    step: int
    lag: int
    terms: tuple[float, float, float]
    variances: tuple[float, float]
    broken: str
    row: tuple[int, int, float | None, float]

    def told(self) -> dict[str, Any]:
        """What the script that keeps it takes."""
        data = asdict(self)
        del data["point"]
        return {
            "point": self.point.name,
            "index": self.index,
            "row": self.row[0],
            "bit": self.point.bit,
            "data": json.dumps(data),
        }


class WeightParts:
    """Reads, settles and forgets parts.

    Args:
        store: both Redis servers.
        wait_s: for parts that are missing, from the arrival of shard 0.
    """

    def __init__(self, store: Store, wait_s: float = WAIT_S) -> None:
        self.wait_s = wait_s
        self._store = store
        self._settle = store.data.register_script(scripts.SETTLE)
        self._forget = store.data.register_script(scripts.FORGET)

    def told(self, parts: Sequence[WeightPart]) -> dict[str, Any]:
        """What goes with the result of a job that brings parts."""
        return {
            "parts": [part.told() for part in parts],
            "wait_s": self.wait_s,
            "unplaced_s": max(UNPLACED_S, self.wait_s),
        }

    def keys_of(self, job: Job, parts: Sequence[WeightPart]) -> list[str]:
        """The keys that this takes, in order."""
        waiting = [keys.waiting_points(job.shard), keys.waiting_rows(job.run, job.owner)]
        return [*waiting, *(key for part in parts for key in part.point.keys)]

    def complete(self, parts: Iterable[WeightPart]) -> list[PointId]:
        """The points, of those that `parts` belong to, of which as many parts are held."""
        expected = {part.point: part.count for part in parts}
        if not expected:
            return []
        with reachable(self._store.redis_url):
            pipe = self._store.data.pipeline(transaction=False)
            for point in expected:
                pipe.hlen(point.keys[0])
            held = pipe.execute()
        pairs = zip(expected.items(), held, strict=True)
        return [point for (point, count), there in pairs if there >= count]

    def overdue(self, shard: int) -> list[PointId]:
        """The points that are waited for no longer."""
        now_s = self._store.now_s()
        with reachable(self._store.redis_url):
            names: Any = self._store.data.zrangebyscore(
                keys.waiting_points(shard), "-inf", now_s, start=0, num=MOST_OVERDUE
            )
        return [PointId(*json.loads(text(name))) for name in names]

    def held(self, points: Sequence[PointId]) -> dict[PointId, dict[int, WeightPart]]:
        """The parts of each point by shard."""
        with reachable(self._store.redis_url):
            pipe = self._store.data.pipeline(transaction=False)
            for point in points:
                pipe.hgetall(point.keys[0])
            answers = pipe.execute()
        return {
            point: {int(index): _part(point, data) for index, data in answer.items()}
            for point, answer in zip(points, answers, strict=True)
        }

    def settle(self, block: Block, points: Sequence[PointId]) -> bool:
        """Store what became of `points`, all of one segment, once; False if one of them was
        settled meanwhile: look again."""
        writes = list(writes_of(block))
        run, segment = block.run, block.segment
        ordinal, now_s = ordinal_of(self._store, run, segment), self._store.now_s()
        payload = payload_of(block, ordinal, writes, now_s=now_s)
        told = [{"point": point.name, "bit": point.bit} for point in points]
        with reachable(self._store.redis_url):
            answer = self._settle(
                keys=[
                    keys.waiting_points(keys.shard_of(run)),
                    keys.waiting_rows(run, segment),
                    *result_keys(run, segment),
                    *(write.key for write in writes),
                    *(key for point in points for key in point.keys),
                ],
                args=[json.dumps(told), "", "", payload, b"", b"", *(w.data for w in writes)],
            )
        if answer == b"deleted":
            self.forget(points)
        return bool(answer == b"done")

    def forget(self, points: Sequence[PointId]) -> None:
        """Let go of points that never got a row."""
        for run, segment in {(point.run, point.segment) for point in points}:
            mine = [p for p in points if (p.run, p.segment) == (run, segment)]
            waiting = keys.waiting_points(keys.shard_of(run))
            held = [point.keys[0] for point in mine]
            with reachable(self._store.redis_url):
                self._forget(
                    keys=[waiting, keys.segments(run), keys.rows(run), *held],
                    args=[point.name for point in mine],
                )


def first_waiting_row(store: Store, run: str, segment: str) -> int | None:
    """The first row of a segment that still lacks parts of a point; None if all have theirs."""
    with reachable(store.redis_url):
        found: Any = store.data.zrange(keys.waiting_rows(run, segment), 0, 0, withscores=True)
    return int(found[0][1]) if found else None


def points_of(store: Store, run: str) -> list[str]:
    """Names of the run's points that wait for parts, as they lie in their shard's set."""
    begin = json.dumps([run]).removesuffix("]") + ","
    with reachable(store.redis_url):
        waiting: Any = store.data.zscan_iter(keys.waiting_points(keys.shard_of(run)))
        return [name for raw, _ in waiting if (name := text(raw)).startswith(begin)]


def _part(point: PointId, data: bytes) -> WeightPart:
    told = json.loads(data)
    for name in ("terms", "variances", "row"):
        told[name] = tuple(told[name])
    return WeightPart(point=point, **told)
