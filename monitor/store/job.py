"""A job: the descriptor of a frame that waits to be evaluated."""

import math
from dataclasses import dataclass
from typing import Any

from monitor.errors import StoreError
from monitor.store.blocks import MOST_ROWS, Rows
from monitor.store.connection import text
from trainer_hooks import keys
from trainer_hooks.errors import BadNameError
from trainer_hooks.names import check_run

#: Counts beyond this are not exact in the scripts' floating-point numbers.
MOST_COUNT = 2**53


@dataclass(frozen=True, slots=True)
class Job:
    """A frame to evaluate.

    Attributes:
        id: in its stream.
        lane: of the stream.
        deliveries: how often it was handed to a worker, this one included.
        run, segment, kind: whose it is.
        blob: name of its frame on the volatile Redis; `nbytes`: its size.
        row, step, time: of the last push in it.
    """

    id: str
    lane: keys.Lane
    shard: int
    deliveries: int
    run: str
    segment: str
    kind: str
    blob: str
    nbytes: int
    row: int
    step: int
    time: float

    @property
    def part(self) -> str:
        """Number of its chunk: frames are named ``<segment>-<kind>-<row>-<part>``."""
        return self.blob.rpartition("-")[2]

    @property
    def owner(self) -> str:
        """The segment of rank 0: its own, unless a member (another rank) pushed it."""
        return self.segment.partition(".")[0]

    @property
    def member(self) -> bool:
        """Whether a rank other than 0 pushed it: it brings parts and has no rows."""
        return self.owner != self.segment

    def last_row(self) -> Rows:
        """The row of its last push: where a failure of the whole job is noted."""
        return Rows.one(self.row, self.step, None, self.time)


def parse_job(entry: Any, shard: int, lane: keys.Lane, deliveries: int) -> Job:
    """The job in a stream's entry.

    Raises:
        StoreError: a field is missing or out of bounds.
    """
    job_id = text(entry[0])
    try:
        fields = {text(name): text(value) for name, value in entry[1].items()}
        return Job(
            id=job_id,
            lane=lane,
            shard=shard,
            deliveries=deliveries,
            run=check_run(fields["run"]),
            segment=fields["segment"],
            kind=fields["kind"],
            blob=fields["blob"],
            nbytes=_count(fields, "bytes", MOST_COUNT),
            row=_count(fields, "row", MOST_ROWS),
            step=_count(fields, "step", MOST_COUNT),
            time=_seconds(fields["time"]),
        )
    except (KeyError, ValueError, BadNameError) as error:
        raise StoreError(f"job {job_id} is malformed: {error!r}") from error


def _count(fields: dict[str, str], name: str, limit: int) -> int:
    number = int(fields[name])
    if not 0 <= number < limit:
        raise ValueError(f"{name} is {number}; allowed are 0 to {limit - 1}")
    return number


def _seconds(field: str) -> float:
    seconds = float(field)
    if not math.isfinite(seconds):
        raise ValueError(f"time is {seconds}; it must be finite")
    return seconds
