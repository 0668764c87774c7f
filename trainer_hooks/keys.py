"""Every Redis key, as functions. The only place that spells a key.

Keys of one run and the job streams that serve it share the hash tag of the run's shard, so that one
script may touch them together on a Redis Cluster. Names are percent-encoded: after `quote` no
character is left that means anything to a key, to a glob pattern or to a hash tag.
"""

from typing import Literal
from urllib.parse import quote, unquote
from zlib import crc32

#: Shards the runs are spread over; one until a Redis Cluster is supported.
SHARDS = 1

Lane = Literal["fast", "samples"]
#: Cheap jobs (weights, scalars) never wait behind sample batches.
LANES: tuple[Lane, ...] = ("fast", "samples")

#: Sorted set of all runs, scored by their start (Redis clock, seconds).
RUNS = "sqd:runs"
#: Sorted set of workers, scored by their last heartbeat (Redis clock, seconds).
WORKERS = "sqd:workers"
#: Random name of this data set: changes when Redis was restarted empty.
INSTANCE = "sqd:instance"
#: URL of the volatile Redis that holds the frames; absent: the same Redis. Who starts the product
#: says it here once, so that hooks, workers and servers cannot disagree.
BLOB_URL = "sqd:blob_url"
#: Hash: id of a rule that was made over REST to the rule.
RULES = "sqd:rules"
#: The consumer group that all workers share.
GROUP = "workers"


def shard_of(run: str) -> int:
    """The shard a run lives in."""
    return crc32(run.encode()) % SHARDS


def jobs(shard: int, lane: Lane) -> str:
    """Stream of job descriptors of one lane."""
    return f"sqd:{{{shard}}}:jobs:{lane}"


def failures(shard: int) -> str:
    """Hash: how often each outstanding job has failed."""
    return f"sqd:{{{shard}}}:failures"


def dead_letters(shard: int) -> str:
    """Stream of jobs that were given up."""
    return f"sqd:{{{shard}}}:dead"


def shard_events(shard: int) -> str:
    """Capped stream of light events over all runs of a shard."""
    return f"sqd:{{{shard}}}:events"


def watch_lease(shard: int) -> str:
    """Who watches this shard, with its fencing number."""
    return f"sqd:{{{shard}}}:watch:lease"


def watch_fence(shard: int) -> str:
    """Counter of fencing numbers."""
    return f"sqd:{{{shard}}}:watch:fence"


def notices(shard: int) -> str:
    """Sorted set: alerts whose notices are not all sent, scored by when they are due."""
    return f"sqd:{{{shard}}}:notices"


def waiting_points(shard: int) -> str:
    """Sorted set: points whose parts of ranks are not all there, scored by their end (seconds)."""
    return f"sqd:{{{shard}}}:waiting_points"


def kept(shard: int) -> str:
    """Set: runs that no limit removes."""
    return f"sqd:{{{shard}}}:kept"


def limits(shard: int) -> str:
    """Hash: run to its own limits (JSON), where it has any."""
    return f"sqd:{{{shard}}}:limits"


def counters(shard: int) -> str:
    """Hash: what happened so far, for `/metrics` (see `monitor.store.counters`)."""
    return f"sqd:{{{shard}}}:counters"


def worker(worker_id: str) -> str:
    """Hash with what a worker says of itself; expires when it stops."""
    return f"sqd:worker:{quote(worker_id, safe='')}"


def of_run(run: str, part: str) -> str:
    """A key of one run; `part` is one of the names below."""
    return f"sqd:{{{shard_of(run)}}}:run:{quote(run, safe='')}:{part}"


def run_pattern(run: str) -> str:
    """Glob that matches every durable key of a run."""
    return of_run(run, "*")


def runs_pattern(shard: int) -> str:
    """Glob that matches every durable key of every run of a shard."""
    return f"sqd:{{{shard}}}:run:*"


def run_and_part(key: str) -> tuple[str, str]:
    """The run that a durable key belongs to, and its part."""
    name, _, part = key.partition(":run:")[2].partition(":")
    return decode(name), part


def staged(run: str, token: str, part: str) -> str:
    """What becomes a key of a run when its import is complete; expires otherwise."""
    return f"sqd:{{{shard_of(run)}}}:import:{token}:{part}"


def meta(run: str) -> str:
    """Hash: what the trainer said of the run, heartbeat, counters of pushes."""
    return of_run(run, "meta")


def segments(run: str) -> str:
    """Hash: segment (one trainer process) to its description."""
    return of_run(run, "segments")


def members(run: str) -> str:
    """Hash: ranks other than 0 that push parts, to the process that is it (joining.py)."""
    return of_run(run, "members")


def rows(run: str) -> str:
    """Hash: rows stored per segment and kind, first and last steps."""
    return of_run(run, "rows")


def metrics(run: str) -> str:
    """Hash: metric name to its latest point."""
    return of_run(run, "metrics")


def problems(run: str) -> str:
    """Hash: what could not be computed, with count and reason."""
    return of_run(run, "problems")


def events(run: str) -> str:
    """Capped stream of the run's events."""
    return of_run(run, "events")


def alerts(run: str) -> str:
    """Hash: alert id to alert."""
    return of_run(run, "alerts")


def control(run: str) -> str:
    """Hash: what is asked of the trainer, and whether it was told (see `scripts.HEARTBEAT`)."""
    return of_run(run, "control")


def alert_marks(run: str) -> str:
    """Hash: what became of an alert after it was raised, ``<id>:<mark>`` to a time."""
    return of_run(run, "alert_marks")


def deliveries(run: str) -> str:
    """Hash: alert and channel to what became of that notice."""
    return of_run(run, "deliveries")


def watch(run: str) -> str:
    """Hash: detector state and how far each column was read."""
    return of_run(run, "watch")


def grids(run: str) -> str:
    """Hash: batch to its image grid."""
    return of_run(run, "grids")


def modes(run: str) -> str:
    """Hash: batch to its mode histogram."""
    return of_run(run, "modes")


def edits(run: str) -> str:
    """Hash: how often each chunk of rows was written, see `monitor.store.edits`."""
    return of_run(run, "edits")


def parts(run: str, segment: str, batch: int) -> str:
    """Hash: partial results of one sample batch."""
    return of_run(run, f"parts:{segment}:{batch}")


def weight_parts(run: str, segment: str, network: str, kind: int, call: int) -> str:
    """Hash: shard to its part of one point of a network that is spread over ranks."""
    return of_run(run, f"weight_parts:{segment}:{kind}:{call}:{quote(network, safe='')}")


def settled_calls(run: str, segment: str, network: str, kind: int, chunk: int) -> str:
    """String of bits: calls of a stretch whose points are stored; what comes later is too late."""
    return of_run(run, f"settled:{segment}:{kind}:{chunk}:{quote(network, safe='')}")


def waiting_rows(run: str, segment: str) -> str:
    """Sorted set: points that wait for parts, scored by their row."""
    return of_run(run, f"waiting_rows:{segment}")


def column(run: str, segment: str, kind: str, chunk: int, name: str) -> str:
    """String: one chunk of one packed column."""
    return of_run(run, f"column:{segment}:{kind}:{chunk}:{quote(name, safe='')}")


def blob(run: str, blob_id: str) -> str:
    """String on the volatile Redis: the bytes of one frame."""
    return f"sqd:{{{shard_of(run)}}}:blob:{quote(run, safe='')}:{blob_id}"


def blob_pattern(run: str) -> str:
    """Glob that matches every volatile frame of a run."""
    return blob(run, "*")


def outstanding(run: str) -> str:
    """Sorted set on the volatile Redis: frames not yet processed, scored by their expiry."""
    return f"sqd:{{{shard_of(run)}}}:outstanding:{quote(run, safe='')}"


def outstanding_bytes(run: str) -> str:
    """Counter on the volatile Redis: bytes of the frames not yet processed."""
    return f"sqd:{{{shard_of(run)}}}:outstanding_bytes:{quote(run, safe='')}"


def decode(encoded: str) -> str:
    """The name behind a percent-encoded part of a key."""
    return unquote(encoded)
