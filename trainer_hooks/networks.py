"""Networks of a push: which snapshots are due, and why some cannot be taken."""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from trainer_hooks.complaints import Complaints
from trainer_hooks.errors import BadNameError, NetworkError, message_of
from trainer_hooks.names import check_network
from trainer_hooks.schedule import BackgroundCost, EpochEnds, WeightSchedule
from trainer_hooks.settings import Settings
from trainer_hooks.shards import Shard, Slot, slot_of
from trainer_hooks.sketch import BUCKETS
from trainer_hooks.snapshot import FLOAT32_BYTES, Snapshot, Snapshots

#: Networks of one push: two tensors each, they fit into a frame (wire.MAX_TENSORS).
MOST_NETWORKS = 64
#: Copies of a push's snapshots on the way to Redis: the newest and the last of an epoch are kept,
#: a frame joins up to three, and is there as arrays and as bytes.
SNAPSHOT_COPIES = 8


@dataclass(slots=True)
class Taken:
    """What one push holds of networks; see `trainer_hooks.pushes.WeightsPush`."""

    snapshots: dict[str, Snapshot] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=dict)
    failures: list[tuple[str, str]] = field(default_factory=list)

    @property
    def nbytes(self) -> int:
        """Bytes of the snapshots."""
        return sum(snapshot.values.nbytes for snapshot in self.snapshots.values())


class Networks:
    """Takes the networks of one run's pushes.

    Args:
        settings: of the run.
        complaints: where errors go.
        spent_s: tells the CPU seconds that our threads have spent so far.
    """

    def __init__(
        self,
        settings: Settings,
        complaints: Complaints,
        spent_s: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._settings = settings
        self._complaints = complaints
        self._snapshots = Snapshots(settings.weights, settings.budget_bytes)
        self._background = BackgroundCost(spent_s)
        #: Networks whose snapshots are larger than a sketch: what they cost our threads counts.
        self._heavy: set[str] = set()
        self._schedules: dict[str, WeightSchedule] = {}
        self._calls: dict[Slot, int] = {}
        self._wrong: Counter[str] = Counter()
        self._epochs: dict[str, EpochEnds] = {}

    def take(
        self,
        named: Mapping[str, object],
        *,
        problems: Mapping[str, str],
        epoch: float | None = None,
        shard: Shard | None = None,
    ) -> Taken:
        """Snapshots of the networks that are due.

        However much they are thinned, the last of an epoch is taken: its angle is from one epoch's
        end to the next.

        Args:
            named: networks by name.
            problems: why networks of some names cannot be taken, known before.
            epoch: of the push.
            shard: which part of them this is.
        """
        taken = Taken()
        for name, network in named.items():
            try:
                self._check(name, taken)
            except BadNameError as error:
                self._complaints.about(error, "a network is not kept")
                continue
            try:
                problem = problems.get(name, "")
                due = self._is_due(name, shard, problem)
                ends = shard is None and self._epochs.setdefault(name, EpochEnds()).see(epoch)
                if due or ends or problem:
                    self._take(name, network, taken, shard, problem)
            except Exception as error:
                self._complaints.about(error, f"S.{name} fails", "bad_network")
                taken.failures.append((f"S.{name}", message_of(error)))
        return taken

    def _check(self, name: object, taken: Taken) -> None:
        if name not in self._schedules:
            checked = check_network(name)
            every, overhead = self._settings.weights_every, self._settings.max_overhead
            self._schedules[checked] = WeightSchedule(
                every, overhead, lambda: self._background.each_s if checked in self._heavy else 0.0
            )
        if len(taken.calls) + len(taken.failures) >= MOST_NETWORKS:
            raise BadNameError(f"network {name!r} is one too many: {MOST_NETWORKS} fit into a push")

    def _is_due(self, name: str, shard: Shard | None, problem: str) -> bool:
        """Count a call, whatever is wrong with it: its number finds the same call of other ranks,
        also where the first ones of a member named no shard."""
        slot = slot_of(name, shard)
        missed = self._wrong[name] if shard is not None and shard.of_member else 0
        call = self._calls[slot] = self._calls.get(slot, missed) + 1
        if shard is None:
            self._wrong[name] += bool(problem)
            return self._schedules[name].due(time.perf_counter())
        # By its number alone: costs differ from rank to rank, and ranks must take the same calls.
        return (call - 1) % self._settings.weights_every < 2

    def _take(
        self, name: str, network: object, taken: Taken, shard: Shard | None, problem: str
    ) -> None:
        if problem:
            raise NetworkError(problem)
        started_s = time.perf_counter()
        snapshot = self._snapshots.take(name, network, shard)
        nbytes = taken.nbytes + snapshot.values.nbytes
        budget_bytes = self._settings.budget_bytes
        if nbytes * SNAPSHOT_COPIES > budget_bytes:
            raise NetworkError(
                f"network {name!r} takes {snapshot.values.nbytes} bytes a snapshot; budget_bytes = "
                f"{budget_bytes} holds {budget_bytes // SNAPSHOT_COPIES} for all networks of a "
                "push: raise it, or push weights='sketch'"
            )
        taken.snapshots[name] = snapshot
        taken.calls[name] = self._calls[slot_of(name, shard)]
        if snapshot.values.nbytes > BUCKETS * FLOAT32_BYTES:
            self._heavy.add(name)
        self._background.took(time.perf_counter())
        if shard is None:
            self._schedules[name].took(time.perf_counter() - started_s)


def gathered(
    networks: Any, more: Mapping[str, object], problem: str = ""
) -> tuple[dict[str, object], dict[str, str]]:
    """Networks by name from both ways to give them, and problems by name.

    Args:
        networks: as a mapping, or None.
        more: by keyword.
        problem: of all of them.
    Raises:
        NetworkError: `networks` is no mapping.
    """
    if networks is not None and not isinstance(networks, Mapping):
        raise NetworkError(
            f"networks must be a mapping of names to networks, not a {type(networks).__name__}; "
            "for one network write push_weights(step, G=netG)"
        )
    named = {**(networks or {}), **more}
    if problem:
        return named, dict.fromkeys(named, problem)
    twice = (networks or {}).keys() & more.keys()
    problems = {name: f"network {name!r} is given twice in one push" for name in twice}
    inside = more.get("networks")
    if isinstance(inside, Mapping) and any(isinstance(each, Mapping) or hasattr(each, "parameters")
                                           for each in inside.values()):  # fmt: skip
        problems["networks"] = (
            "networks are given by position, push_weights(step, {...}), or each by its name"
        )
    return named, problems
