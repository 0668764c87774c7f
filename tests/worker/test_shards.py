"""Networks spread over ranks: parts in any order give the angle of the whole, once, or a reason."""

import itertools
import json
import time
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from monitor import stability
from monitor.store.connection import Store
from monitor.store.jobs import JobQueue
from monitor.store.runs import delete_run, read_run
from monitor.store.series import read_series
from monitor.store.weight_parts import PointId, WeightPart, WeightParts
from monitor.worker.angles import weights_block
from monitor.worker.fast import FastLane
from monitor.worker.loop import Worker
from monitor.worker.shards import parts_of, settle
from monitor.worker.weight_frames import weights_frame
from tests.reference.angle import weight_angle
from tests.store.posting import claimed, entries
from tests.worker.test_loop import made, nothing_waits, problem, work_off
from tests.worker.test_sharing import CLAIM_MS, Crew
from tests.worker.test_sharing import crew as crew
from trainer_hooks import keys
from trainer_hooks.errors import WireError
from trainer_hooks.link import Link
from trainer_hooks.packer import WeightsPacker
from trainer_hooks.pushes import Moment, WeightsPush
from trainer_hooks.settings import read_settings
from trainer_hooks.shards import Shard
from trainer_hooks.snapshot import Snapshots
from trainer_hooks.wire import Frame, decode

Weights = NDArray[np.float32]
#: Patience with parts in these tests, seconds.
WAIT_S = 0.2
SIZE = 90


class Process:
    """One rank: pushes its part of a network as the hooks do, one frame when told to."""

    def __init__(
        self, store: Store, index: int, count: int, *, weights: str = "full", run: str = "demo"
    ) -> None:
        self.shard = Shard(index, count)
        self.link = Link(read_settings(run=run, redis_url=store.redis_url), uuid.uuid4().hex[:12])
        self.link.shard = self.shard
        self.link.connect(0)
        self._packer = WeightsPacker()
        self._snapshots = Snapshots(weights, 2**28)
        self._waiting: list[WeightsPush] = []
        self._calls = 0

    def push(self, step: int, part: Weights, epoch: float | None = None) -> None:
        """One call; it waits for `send`."""
        self._calls += 1
        snapshot = self._snapshots.take("G", {"w": part}, self.shard)
        moment = Moment(step, epoch, 1_795_300_000.0 + step)
        self._waiting.append(WeightsPush(moment, {"G": snapshot}, {"G": self._calls}))

    def frame(self) -> Frame:
        """What waits, as one frame."""
        frame = self._packer.pack(self._waiting)
        self._waiting = []
        return frame

    def post(self, frame: Frame) -> None:
        last = int(frame.tensors["row.seq"].argmax())
        row, step = (int(frame.tensors[f"row.{name}"][last]) for name in ("seq", "step"))
        self.link.post(frame, row, step)

    def send(self) -> None:
        self.post(self.frame())


def ranks(store: Store, count: int, **options: Any) -> list[Process]:
    return [Process(store, index, count, **options) for index in range(count)]


def walk(count: int, size: int = SIZE, change: float = 1e-4) -> list[Weights]:
    generator = np.random.default_rng(5)
    moves = generator.normal(size=(count, size)) * np.array([[1.0]] + [[change]] * (count - 1))
    return list(moves.cumsum(axis=0).astype(np.float32))


def push_all(
    processes: Sequence[Process], snapshots: Sequence[Weights], per_epoch: int = 10**6
) -> None:
    """Every rank pushes its part of every snapshot; parts differ in size."""
    for step, whole in enumerate(snapshots):
        cuts = [len(whole) * (i + 1) ** 2 // len(processes) ** 2 for i in range(len(processes))]
        for process, part in zip(processes, np.split(whole, cuts[:-1]), strict=True):
            process.push(step, part, epoch=step // per_epoch)


def series(store: Store, metric: str = "S.G") -> dict[str, list[Any]]:
    return read_series(store, "demo", [metric], None, None)[metric].as_json()


def told(store: Store, metric: str = "S.G") -> Counter[int]:
    """How often each step of a metric was told to browsers."""
    steps: Counter[int] = Counter()
    for event in entries(store, keys.events("demo")):
        columns = json.loads(event[b"data"])["series"]
        steps.update(columns.get(metric, {"step": []})["step"])
    return steps


def nothing_is_left(store: Store) -> bool:
    """No job, no frame, no part and nothing that waits for one."""
    left: list[Any] = [*store.data.keys("*weight_parts*"), *store.data.keys("*waiting*")]
    return nothing_waits(store) and left == []


def angles(snapshots: Sequence[Weights]) -> list[Any]:
    pairs = itertools.pairwise(snapshots)
    return [pytest.approx(weight_angle(before, after), rel=1e-9) for before, after in pairs]


def time_passes(store: Store) -> None:
    """What waits for parts has waited long enough: a worker's first sweep sees it."""
    waiting: Any = store.data.zrange(keys.waiting_points(0), 0, -1)
    for point in waiting:
        store.data.zadd(keys.waiting_points(0), {point: 1.0})
    work_off(made(Worker(store, FastLane())))


@pytest.fixture
def worker(store: Store) -> Worker:
    """A worker that waits for parts longer than any test takes."""
    return made(Worker(store, FastLane()))


@pytest.mark.parametrize("order", [*itertools.permutations(range(3))])
def test_parts_in_any_order_give_the_angle_of_the_whole(
    store: Store, worker: Worker, order: Sequence[int]
) -> None:
    processes, snapshots = ranks(store, 3), walk(6)
    push_all(processes, snapshots)
    for index in order:
        processes[index].send()
        work_off(worker)
    found = series(store)
    assert found["value"] == angles(snapshots)
    assert found["step"] == [1, 2, 3, 4, 5]
    assert found["time"] == [1_795_300_000.0 + step for step in range(1, 6)]
    assert (found["n"], found["status"], found["stderr"]) == ([1] * 5, ["ok"] * 5, [None] * 5)
    assert told(store) == Counter(range(1, 6))
    assert set(read_run(store, "demo").latest) == {"S.G"}
    assert nothing_is_left(store)


def test_frames_cut_differently_by_two_workers(store: Store, worker: Worker) -> None:
    other = made(Worker(store, FastLane()))
    processes, snapshots = ranks(store, 2), walk(13)
    for step, whole in enumerate(snapshots):
        for process, part in zip(processes, np.split(whole, 2), strict=True):
            process.push(step, part)
            if step % (2 + process.shard.index) == 0:
                process.send()
    work_off(worker, other)
    assert series(store)["value"] == angles(snapshots)
    assert told(store) == Counter(range(1, 13))
    assert nothing_is_left(store)


def test_epochs_are_those_of_the_whole(store: Store, worker: Worker) -> None:
    processes, snapshots = ranks(store, 2), walk(7)
    push_all(processes, snapshots, per_epoch=2)
    for process in processes:
        process.send()
    work_off(worker)
    found = series(store, "S.G@epoch")
    assert (found["step"], found["epoch"], found["n"]) == ([3, 5], [1.0, 2.0], [2, 2])
    assert found["value"] == angles(snapshots[1:7:2])
    assert nothing_is_left(store)


def test_sketches_of_shards_are_as_good_as_their_error_says(store: Store, worker: Worker) -> None:
    processes, snapshots = ranks(store, 2, weights="sketch"), walk(5, 300_000)
    push_all(processes, snapshots)
    for process in processes:
        process.send()
    work_off(worker)
    found = series(store)
    for value, stderr, (before, after) in zip(
        found["value"], found["stderr"], itertools.pairwise(snapshots), strict=True
    ):
        exact = stability.weight_angle(before, after)
        assert 0.0 < stderr < 0.02 * exact
        assert abs(value - exact) < 4 * stderr


def test_part_that_never_comes_fails_the_point_and_is_named(store: Store, worker: Worker) -> None:
    processes, snapshots = ranks(store, 4), walk(3)
    push_all(processes, snapshots)
    for index in (2, 0):
        processes[index].send()
    work_off(worker)
    assert "S.G" not in read_run(store, "demo").latest
    time_passes(store)
    found = series(store)
    assert (found["value"], found["status"]) == ([None, None], ["failed", "failed"])
    reason = "shards 1, 3 of 4 did not come within 60 s"
    assert problem(read_run(store, "demo"), "S.G") == ("failed", 2, reason)
    assert nothing_is_left(store)
    # Too late: what was told stays, and nothing waits anew.
    for index in (1, 3):
        processes[index].send()
    work_off(worker)
    time_passes(store)
    assert told(store) == Counter([1, 2])
    assert nothing_is_left(store)


def test_patience_is_that_of_the_worker(store: Store) -> None:
    hasty = made(Worker(store, FastLane(), part_wait_s=WAIT_S))
    process = ranks(store, 2)[0]
    push_all([process], walk(2))
    process.send()
    work_off(hasty)
    time.sleep(1.5 * WAIT_S)
    # Nothing comes, and the point fails all the same.
    assert not hasty.step(1)
    reason = f"shard 1 of 2 did not come within {WAIT_S} s"
    assert problem(read_run(store, "demo"), "S.G") == ("failed", 1, reason)


def test_parts_that_come_twice_count_once(store: Store, worker: Worker) -> None:
    processes, snapshots = ranks(store, 2), walk(4)
    push_all(processes, snapshots)
    frames = [process.frame() for process in processes]
    for index in (0, 0, 1, 1, 0, 1):
        processes[index].post(frames[index])
        work_off(worker)
    time_passes(store)
    assert series(store)["value"] == angles(snapshots)
    assert told(store) == Counter([1, 2, 3])
    record = read_run(store, "demo")
    assert (record.problems, record.drops) == ([], {})
    assert nothing_is_left(store)


def test_part_of_a_killed_worker_is_done_again_once(
    store: Store, crew: Crew, worker: Worker
) -> None:
    processes, snapshots = ranks(store, 2), walk(4)
    push_all(processes, snapshots)
    processes[0].send()
    work_off(worker)
    processes[1].send()
    doomed = crew.start("hang")
    assert doomed.stdout is not None
    assert doomed.stdout.readline() == "working\n"
    crew.kill(doomed)
    time.sleep(1.5 * CLAIM_MS / 1000)
    work_off(made(Worker(store, FastLane(), claim_timeout_ms=CLAIM_MS)))
    assert series(store)["value"] == angles(snapshots)
    assert told(store) == Counter([1, 2, 3])
    assert nothing_is_left(store)


def test_worker_that_dies_before_it_settles_leaves_that_to_the_sweep(
    store: Store, worker: Worker
) -> None:
    processes, snapshots = ranks(store, 2), walk(3)
    push_all(processes, snapshots)
    dying = JobQueue(store, "dying")
    for process in processes:
        frame = process.frame()
        process.post(frame)
        job = claimed(dying)
        parts = parts_of(job, weights_frame(frame))
        if job.member:
            dying.keep_shards(job, parts)
        else:
            block = weights_block(job.run, job.segment, weights_frame(frame))
            assert dying.finish(job, block, parts=parts)
    time_passes(store)
    assert series(store)["value"] == angles(snapshots)
    assert nothing_is_left(store)


def test_two_workers_that_settle_at_once_tell_it_once(store: Store) -> None:
    processes, snapshots = ranks(store, 2), walk(4)
    push_all(processes, snapshots)
    rival = WeightParts(store)

    class Late(WeightParts):
        """Settles what a rival settled since it looked."""

        def held(self, points: Sequence[PointId]) -> dict[PointId, dict[int, WeightPart]]:
            found = super().held(points)
            settle(rival, points[:1])
            return found

    queue = JobQueue(store, "late")
    queue.ensure_groups()
    kept: list[WeightPart] = []
    for process in processes:
        process.send()
    while job := queue.next("fast", 1):
        content = weights_frame(decode(queue.frame(job) or b""))
        parts = parts_of(job, content)
        if job.member:
            queue.keep_shards(job, parts)
        else:
            assert queue.finish(job, weights_block(job.run, job.segment, content), parts=parts)
        kept += parts
    late = Late(store)
    settle(late, late.complete(kept))
    assert series(store)["value"] == angles(snapshots)
    assert told(store) == Counter([1, 2, 3])
    assert nothing_is_left(store)


def test_worker_that_lost_its_claim_keeps_nothing(store: Store, worker: Worker) -> None:
    processes = ranks(store, 2)
    push_all(processes, walk(2))
    frame = processes[1].frame()
    processes[1].post(frame)
    job = claimed(JobQueue(store, "holder"))
    thief = JobQueue(store, "thief")
    thief.keep_shards(job, parts_of(job, weights_frame(frame)))
    assert store.data.keys("*weight_parts*") == []
    assert store.data.xlen(keys.jobs(0, "fast")) == 1


def test_ranks_that_disagree_fail_the_point_and_say_how(store: Store, worker: Worker) -> None:
    first, second = Process(store, 0, 2), Process(store, 1, 3)
    snapshots = walk(3)
    for step, whole in enumerate(snapshots):
        for process, part in zip((second, first), np.split(whole, 2), strict=True):
            process.push(step, part)
    second.send()
    first.send()
    work_off(worker)
    status, count, reason = problem(read_run(store, "demo"), "S.G")
    assert (status, count) == ("failed", 2)
    assert reason.startswith("shard 1 is one of 3, but shard 0 is one of 2: ")
    assert nothing_is_left(store)


def test_calls_that_do_not_match_fail_and_are_not_mixed(store: Store, worker: Worker) -> None:
    first, second = ranks(store, 2)
    left, right = np.split(np.stack(walk(4)), 2, axis=1)
    for step in range(4):
        first.push(step, left[step])
        if step != 1:
            second.push(step, right[step])
    first.send()
    second.send()
    work_off(worker)
    assert series(store)["status"] == ["failed", "failed"]
    reason = problem(read_run(store, "demo"), "S.G")[2]
    assert "shard 1 joins steps 2 and 3, but shard 0 1 and 2" in reason


@pytest.mark.parametrize(
    ("bad", "status", "said"),
    [
        (lambda part: part * np.float32("nan"), "nonfinite", "weights of G: w (shard 1)"),
        (lambda part: part * 0, "ok", ""),
    ],
)
def test_one_bad_shard(
    store: Store, worker: Worker, bad: Callable[[Weights], Weights], status: str, said: str
) -> None:
    first, second = ranks(store, 2)
    snapshots = walk(2)
    for step, whole in enumerate(snapshots):
        first.push(step, whole)
        second.push(step, bad(whole))
    first.send()
    second.send()
    work_off(worker)
    found = series(store)
    assert found["status"] == [status]
    if said:
        assert said in problem(read_run(store, "demo"), "S.G")[2]
    else:
        assert found["value"] == angles(snapshots)


def test_shards_that_are_all_zero(store: Store, worker: Worker) -> None:
    processes = ranks(store, 2)
    push_all(processes, [np.zeros(SIZE, np.float32)] * 2)
    for process in processes:
        process.send()
    work_off(worker)
    expected = ("nonfinite", 1, "all weights of G are zero")
    assert problem(read_run(store, "demo"), "S.G") == expected


def test_shard_without_weights_adds_nothing(store: Store, worker: Worker) -> None:
    processes, snapshots = ranks(store, 3), walk(3)
    for step, whole in enumerate(snapshots):
        for process, part in zip(processes, (whole, whole[:0], whole[:0]), strict=True):
            process.push(step, part)
    for process in processes:
        process.send()
    work_off(worker)
    assert series(store)["value"] == angles(snapshots)


def test_lost_frame_of_a_member_is_counted_and_its_points_fail(
    store: Store, worker: Worker
) -> None:
    processes = ranks(store, 2)
    push_all(processes, walk(3))
    processes[1].send()
    store.blobs.flushall()
    processes[0].send()
    work_off(worker)
    time_passes(store)
    record = read_run(store, "demo")
    assert record.drops == {"worker_lost_frames": 1}
    assert problem(record, "S.G") == ("failed", 2, "shard 1 of 2 did not come within 60 s")
    assert nothing_is_left(store)


def test_second_job_of_a_member_whose_frame_was_done_is_no_loss(
    store: Store, worker: Worker
) -> None:
    processes = ranks(store, 2)
    push_all(processes, walk(3))
    frames = [process.frame() for process in processes]
    for process, frame in zip(processes, frames, strict=True):
        process.post(frame)
        process.post(frame)
    work_off(worker)
    assert read_run(store, "demo").drops == {}
    assert nothing_is_left(store)


def test_malformed_frame_of_a_member_is_a_dead_letter(store: Store, worker: Worker) -> None:
    processes = ranks(store, 2)
    push_all(processes, walk(3))
    frame = processes[1].frame()
    frame.tensors["network.0.calls"] += 2**31
    processes[1].post(frame)
    work_off(worker)
    (letter,) = entries(store, keys.dead_letters(0))
    assert letter[b"error"].startswith(b"calls are not whole")
    assert nothing_is_left(store)


def test_parts_without_shard_0_are_let_go_and_counted(store: Store, worker: Worker) -> None:
    processes = ranks(store, 3)
    push_all(processes, walk(3))
    processes[1].send()
    processes[2].send()
    work_off(worker)
    time_passes(store)
    record = read_run(store, "demo")
    assert (record.drops, record.latest) == ({"worker_lost_parts": 4}, {})
    assert nothing_is_left(store)


def test_parts_of_a_deleted_run_are_let_go(store: Store, worker: Worker) -> None:
    processes = ranks(store, 2)
    push_all(processes, walk(3))
    processes[0].send()
    work_off(worker)
    delete_run(store, "demo")
    time_passes(store)
    assert store.data.keys("sqd:*run*") == []
    assert nothing_is_left(store)


def test_scalars_do_not_wait_for_parts(store: Store, worker: Worker) -> None:
    processes = ranks(store, 2)
    push_all(processes, walk(2))
    frame = processes[0].frame()
    frame.header["scalars"] = ["loss"]
    frame.tensors["scalar.0.row"] = np.array([1])
    frame.tensors["scalar.0.value"] = np.array([0.5])
    processes[0].post(frame)
    work_off(worker)
    assert read_run(store, "demo").latest["loss"]["value"] == 0.5


def sharded_frame(index: int = 0, count: int = 2) -> Frame:
    packer, snapshots, shard = WeightsPacker(), Snapshots("full", 2**28), Shard(index, count)
    return packer.pack(
        [
            WeightsPush(
                Moment(step, None, 0.0),
                {"G": snapshots.take("G", {"w": whole}, shard)},
                {"G": step + 1},
            )
            for step, whole in enumerate(walk(3))
        ]
    )


HOSTILE: dict[str, Callable[[Frame], Any]] = {
    "is none of": lambda frame: frame.header["networks"][0].update(shard=[2, 2]),
    "is none": lambda frame: frame.header["networks"][0].update(shard=[0, 10**9]),
    "whole number": lambda frame: frame.header["networks"][0].update(shard=[-1, 2]),
    "malformed": lambda frame: frame.header["networks"][0].update(shard=[1]),
    "malformed:": lambda frame: frame.header["networks"][0].update(shard=None),
    "expected one a pair": lambda frame: frame.tensors.update(
        {"network.0.calls": np.array([1], np.int64)}
    ),
    "calls are float64": lambda frame: frame.tensors.update(
        {"network.0.calls": np.array([1.0, 2.0])}
    ),
    "each once": lambda frame: frame.tensors.update({"network.0.calls": np.array([2, 2])}),
    "0 to": lambda frame: frame.tensors.update({"network.0.calls": np.array([-1, 2])}),
    "calls": lambda frame: frame.tensors.pop("network.0.calls"),
}


@pytest.mark.parametrize("said", HOSTILE)
def test_malformed_shards_are_refused(said: str) -> None:
    frame = sharded_frame()
    HOSTILE[said](frame)
    with pytest.raises(WireError, match=said.strip(":")):
        weights_frame(frame)


@pytest.mark.parametrize("whole", [True, False])
def test_member_pushes_neither_whole_networks_nor_shard_0(store: Store, whole: bool) -> None:
    processes = ranks(store, 2)
    frame = sharded_frame()
    if whole:
        del frame.header["networks"][0]["shard"]
    processes[1].post(frame)
    queue = JobQueue(store, "tester")
    queue.ensure_groups()
    with pytest.raises(WireError, match="'G' of rank 0 comes from"):
        parts_of(claimed(queue), weights_frame(frame))
