"""Weights spread over ranks, from the calls to the points: S is that of the whole network."""

import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from monitor import stability
from monitor.store.runs import read_run, run_ids
from monitor.store.series import read_series
from monitor.worker.fast import FastLane
from monitor.worker.loop import Worker
from tests.trainer_hooks.conftest import Start
from tests.trainer_hooks.mail import Mail, eventually
from tests.trainer_hooks.trainers import in_a_process, in_processes
from tests.worker.test_loop import made, work_off
from tests.worker.test_shards import time_passes
from trainer_hooks import Run, keys, sender
from trainer_hooks.errors import NetworkError
from trainer_hooks.ranks import Rank
from trainer_hooks.shards import Role, Shard, checked_shard
from trainer_hooks.sync import spools_in, sync

Weights = NDArray[np.float32]
#: Wrong values of `shard`; those of the second list can only come from a rank other than 0.
WRONG_HERE: list[Any] = [
    (0, 0),
    (1, 1),
    "ab",
    3,
    (1,),
    (0, 1, 2),
    (-1, 2),
    (1, "2"),
    (0, 2**20),
    {},
]
WRONG_ELSEWHERE: list[Any] = [(2, 2), [3, 2]]


def walk(count: int = 6, size: int = 60) -> list[Weights]:
    generator = np.random.default_rng(7)
    moves = generator.normal(size=(count, size)) * np.array([[1.0]] + [[1e-4]] * (count - 1))
    return list(moves.cumsum(axis=0).astype(np.float32))


def push(runs: Sequence[Run], snapshots: Sequence[Weights], **more: Any) -> None:
    """Each run is a rank and pushes its part of every snapshot."""
    for step, whole in enumerate(snapshots):
        for index, part in enumerate(np.array_split(whole, len(runs))):
            runs[index].push_weights(step, G={"w": part}, shard=(index, len(runs)), **more)


def angles(snapshots: Sequence[Weights]) -> list[Any]:
    pairs = itertools.pairwise(snapshots)
    return [pytest.approx(stability.weight_angle(*pair), rel=1e-9) for pair in pairs]


def worked_off(mail: Mail) -> None:
    """A worker does what waits, and then is out of patience with what is missing."""
    work_off(made(Worker(mail.store, FastLane())))
    time_passes(mail.store)
    assert not mail.store.data.exists(keys.waiting_points(0))


def points(mail: Mail, metric: str = "S.G", run: str = "demo") -> dict[str, list[Any]]:
    return read_series(mail.store, run, [metric], None, None)[metric].as_json()


def reasons(mail: Mail) -> list[str]:
    return [each["reason"] for each in read_run(mail.store, "demo").problems]


@pytest.mark.parametrize("first", [0, 1, 2])
def test_ranks_are_one_run_in_whatever_order_they_begin(
    start: Start, mail: Mail, first: int
) -> None:
    runs = [start("demo", redis_url=mail.redis_url) for _ in range(3)]
    snapshots = walk()
    runs[first].push_weights(0, G={"w": np.array_split(snapshots[0], 3)[first]}, shard=(first, 3))
    if first == 0:
        eventually(lambda: run_ids(mail.store))
    for index, part in enumerate(np.array_split(snapshots[0], 3)):
        if index != first:
            runs[index].push_weights(0, G={"w": part}, shard=(index, 3))
    for step in range(1, len(snapshots)):
        for index, part in enumerate(np.array_split(snapshots[step], 3)):
            runs[index].push_weights(step, G={"w": part}, shard=(index, 3))
    for run in runs[::-1]:
        run.finish()
    worked_off(mail)
    assert run_ids(mail.store) == ["demo"]
    assert [(run.id, run.dropped) for run in runs] == [("demo", {})] * 3
    found = points(mail)
    assert (found["step"], found["value"]) == ([1, 2, 3, 4, 5], angles(snapshots))
    record = read_run(mail.store, "demo")
    assert record.networks["G"] == {"parameters": 60, "tensors": 3, "weights": "full"}
    assert (record.status, len(record.segments), record.problems) == ("finished", 1, [])


def test_rank_0_alone_has_rows_scalars_epochs_and_samples(start: Start, mail: Mail) -> None:
    runs = [start("demo", redis_url=mail.redis_url, samples=1, samples_every=1) for _ in range(2)]
    for step, whole in enumerate(walk(4)):
        for index, part in enumerate(np.split(whole, 2)):
            run, loss = runs[index], {"loss": float(index)}
            run.push_weights(step, G={"w": part}, shard=(index, 2), scalars=loss, epoch=step // 2)
            run.push_weights(step, D={"w": whole})
            run.push_samples(step, np.full((1, 1, 2, 2), index, np.uint8))
    for run in runs:
        run.finish()
    assert {value for _, value in mail.scalars("demo")["loss"]} == {0.0}
    assert {int(batch.max()) for batch in mail.batches("demo").values()} == {0}
    worked_off(mail)
    assert points(mail, "S.D")["value"] == angles(walk(4))
    # The last row closes the last epoch.
    assert points(mail, "S.G@epoch")["value"] == angles([walk(4)[1], walk(4)[3]])


def test_one_shard_is_no_shard(start: Start, mail: Mail) -> None:
    for name in ("with", "without"):
        run = start(name, redis_url=mail.redis_url)
        for step, whole in enumerate(walk()):
            run.push_weights(step, G={"w": whole}, shard=(0, 1) if name == "with" else None)
        run.finish()
    (left,), (right,) = mail.frames("with", "fast"), mail.frames("without", "fast")
    assert left.header["networks"] == right.header["networks"]
    assert left.tensors.keys() == right.tensors.keys()
    worked_off(mail)
    assert points(mail, run="with")["value"] == points(mail, run="without")["value"]


def test_shards_are_thinned_by_weights_every_alone(start: Start, mail: Mail) -> None:
    options = {"weights_every": 3, "max_overhead": 1e-6}
    runs = [start("demo", redis_url=mail.redis_url, **options) for _ in range(2)]
    push(runs, walk(40))
    for run in runs:
        run.finish()
    worked_off(mail)
    assert points(mail)["step"] == list(range(1, 40, 3))
    assert reasons(mail) == []


@pytest.mark.parametrize("given", [*WRONG_HERE, *WRONG_ELSEWHERE], ids=repr)
def test_wrong_shard_is_told_with_the_value_and_the_bounds(given: Any) -> None:
    with pytest.raises(NetworkError, match=r"expected \(i, n\)") as caught:
        checked_shard(given)
    assert repr(given) in str(caught.value)


@pytest.mark.parametrize("given", [(1, 2), [1, 2], (np.int64(1), np.int32(2)), np.array([1, 2])])
def test_right_shard(given: Any) -> None:
    assert checked_shard(given) == Shard(1, 2)
    assert checked_shard((0, 1)) is None
    assert checked_shard(None) is None


@pytest.mark.parametrize("given", WRONG_HERE, ids=repr)
def test_wrong_shard_fails_its_point_and_loses_nothing_else(
    start: Start, mail: Mail, given: Any
) -> None:
    run = start("demo", redis_url=mail.redis_url)
    run.push_weights(0, G={"w": walk()[0]}, shard=given, scalars={"loss": 1.0})
    run.push_weights(1, D={"w": walk()[0]}, scalars={"loss": 2.0})
    run.finish()
    assert mail.scalars("demo")["loss"] == [(0, 1.0), (1, 2.0)]
    ((step, reason),) = mail.failures("demo")["S.G"]
    assert (step, reason.startswith(f"shard={given!r}: expected (i, n)")) == (0, True)
    assert run.dropped == {"bad_network": 1}


@pytest.mark.parametrize("given", WRONG_ELSEWHERE, ids=repr)
def test_wrong_shard_of_another_rank_begins_no_run(start: Start, mail: Mail, given: Any) -> None:
    run = start("demo", redis_url=mail.redis_url)
    run.push_weights(0, G={"w": walk()[0]}, shard=given, scalars={"loss": 1.0})
    run.finish()
    assert run_ids(mail.store) == []
    assert run.dropped == {"bad_network": 1}


@pytest.mark.parametrize(
    ("rank", "bad", "status"),
    [
        (1, 2, ["ok", "failed", "failed", "ok", "ok"]),
        (1, 0, ["failed", "ok", "ok", "ok", "ok"]),
        (0, 0, ["failed", "ok", "ok", "ok", "ok"]),
        (0, 2, ["ok", "failed", "ok", "ok"]),
    ],
)
def test_wrong_call_of_one_rank_fails_its_points_alone(
    start: Start, mail: Mail, rank: int, bad: int, status: list[str]
) -> None:
    runs = [start("demo", redis_url=mail.redis_url) for _ in range(2)]
    snapshots = walk(6)
    for step, whole in enumerate(snapshots):
        for index, part in enumerate(np.split(whole, 2)):
            wrong = (index, step) == (rank, bad)
            given = (2 * index, 2 * index) if wrong else (index, 2)
            runs[index].push_weights(step, G={"w": part}, shard=given)
    for run in runs:
        run.finish()
    worked_off(mail)
    found = points(mail)
    assert found["status"] == status
    assert found["value"][-2:] == angles(snapshots)[-2:]
    if rank == 1:
        assert reasons(mail) == ["shard 1 of 2 did not come within 60 s"]
    else:
        assert "expected (i, n)" in reasons(mail)[0]
    assert read_run(mail.store, "demo").drops.get("bad_network") == 1


def test_changing_the_number_of_shards_fails_those_points(start: Start, mail: Mail) -> None:
    run = start("demo", redis_url=mail.redis_url)
    for step, count in enumerate((2, 2, 3, 2, 2)):
        run.push_weights(step, G={"w": walk()[step]}, shard=(0, count))
    run.finish()
    ((step, reason),) = mail.failures("demo")["S.G"]
    assert step == 2
    assert reason == "shard=(0, 3) after shard=(0, 2): their number must stay the same"
    assert mail.pairs("demo", "G") == [(1, 0, 1), (4, 0, 1)]


def test_ranks_that_count_differently_fail_with_the_reason(start: Start, mail: Mail) -> None:
    runs = [start("demo", redis_url=mail.redis_url) for _ in range(2)]
    for step, whole in enumerate(walk(3)):
        runs[0].push_weights(step, G={"w": whole}, shard=(0, 2), scalars={"loss": 1.0})
        runs[1].push_weights(step, G={"w": whole}, shard=(1, 3))
    for run in runs:
        run.finish()
    worked_off(mail)
    assert points(mail)["status"] == ["failed", "failed"]
    assert reasons(mail)[0].startswith("shard 1 is one of 3, but shard 0 is one of 2")
    assert len(points(mail, "loss")["step"]) == 3


def test_process_may_push_several_shards(start: Start, mail: Mail) -> None:
    runs = [start("demo", redis_url=mail.redis_url) for _ in range(2)]
    snapshots = walk()
    for step, whole in enumerate(snapshots):
        for index, part in enumerate(np.array_split(whole, 4)):
            runs[index // 2].push_weights(step, G={"w": part}, shard=(index, 4), epoch=step // 2)
    for run in runs:
        run.finish()
    worked_off(mail)
    assert points(mail)["value"] == angles(snapshots)
    assert points(mail, "S.G@epoch")["value"] == angles(snapshots[1::2])
    record = read_run(mail.store, "demo")
    assert (record.problems, record.networks["G"]["parameters"]) == ([], 60)


def test_shard_0_after_others_is_refused(start: Start, mail: Mail) -> None:
    role = Role(Rank({}))
    assert role.admit((1, 2)) is not None
    admission = role.admit((0, 2))
    assert admission is not None
    expected = "shard=(0, 2) after shard=(1, 2): shard 0 must be the first of its process"
    assert (admission.problem, role.shard) == (expected, Shard(1, 2))


def test_whole_networks_before_shards_are_another_run(start: Start, mail: Mail) -> None:
    run = start("demo", redis_url=mail.redis_url)
    run.push_weights(0, scalars={"loss": 1.0})
    run.push_weights(1, G={"w": walk()[0]}, shard=(1, 2))
    run.finish()
    ((_, reason),) = mail.failures("demo")["S.G"]
    assert reason == "shard=(1, 2) after this process began a run of whole networks"


def test_network_that_is_whole_and_then_a_shard_says_so(start: Start, mail: Mail) -> None:
    run = start("demo", redis_url=mail.redis_url)
    run.push_weights(0, G={"w": walk()[0]})
    run.push_weights(1, G={"w": walk()[1]}, shard=(0, 2))
    run.finish()
    ((_, reason),) = mail.failures("demo")["S.G"]
    assert reason == "network G is pushed whole by one call and as a shard by the next"


def test_role_is_asked_of_the_rank_only_where_no_shard_tells() -> None:
    assert Role(Rank({"RANK": "1"})).admit() is None
    assert Role(Rank({"RANK": "1"})).admit((0, 1)) is None
    role = Role(Rank({"RANK": "1"}))
    admission = role.admit("ab")
    assert admission is not None
    assert (bool(admission.problem), role.decided) == (True, False)
    assert role.admit((1, 2)) is not None
    assert (role.decided, role.member) == (True, True)


def test_member_waits_for_rank_0_and_leaves_earlier_trainings_alone(
    start: Start, mail: Mail, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "RETRY_FIRST_S", 0.05)
    monkeypatch.setattr(sender, "RETRY_LONGEST_S", 0.05)
    earlier = start("demo", redis_url=mail.redis_url)
    earlier.push_weights(0, scalars={"loss": 1.0})
    earlier.finish()
    mail.store.data.hset(keys.meta("demo"), "heartbeat", 1.0)
    member = start("demo", redis_url=mail.redis_url)
    member.push_weights(0, G={"w": walk()[0][30:]}, shard=(1, 2))
    assert not mail.store.data.exists(keys.members("demo"))
    owner = start("demo", redis_url=mail.redis_url)
    owner.push_weights(0, G={"w": walk()[0][:30]}, shard=(0, 2))
    assert eventually(lambda: mail.store.data.exists(keys.members("demo-2")))
    for step in (1, 2):
        member.push_weights(step, G={"w": walk()[step][30:]}, shard=(1, 2))
        owner.push_weights(step, G={"w": walk()[step][:30]}, shard=(0, 2))
    owner.finish()
    member.finish()
    worked_off(mail)
    assert (owner.id, member.id) == ("demo-2", "demo-2")
    assert points(mail, run="demo-2")["value"] == angles(walk(3))


def test_place_that_is_taken_is_told(
    start: Start, mail: Mail, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sender, "RETRY_FIRST_S", 0.02)
    monkeypatch.setattr(sender, "RETRY_LONGEST_S", 0.02)
    options = {"redis_url": mail.redis_url, "flush_timeout_s": 0.5}
    runs = [start("demo", **options) for _ in range(3)]
    for run, index in zip(runs, (0, 1, 1), strict=True):
        run.push_weights(0, G={"w": walk()[0]}, shard=(index, 2))
        eventually(lambda: mail.store.data.exists(keys.segments("demo")))
    eventually(lambda: "another process pushes shard (1, 2) of run 'demo' already" in caplog.text)
    for run in runs:
        run.finish()
    assert run_ids(mail.store) == ["demo"]


def test_rank_0_that_ends_first_and_members_that_die_decide_nothing(
    start: Start, mail: Mail
) -> None:
    code = """
import os, time, numpy, redis, trainer_hooks
run = trainer_hooks.start("demo")
for step in range(2):
    run.push_weights(step, G={"w": numpy.arange(3) + step}, shard=(1, 3))
client = redis.Redis.from_url(os.environ["SQD_REDIS_URL"])
def arrived():
    jobs = [job for _, job in client.xrange("sqd:{0}:jobs:fast")]
    return any(job[b"segment"].endswith(b".1") and job[b"row"] == b"1" for job in jobs)
while not arrived():
    time.sleep(0.01)
os._exit(9)
"""
    runs = [start("demo", redis_url=mail.redis_url) for _ in range(2)]
    for step in range(2):
        runs[0].push_weights(step, G={"w": np.ones(3)}, shard=(0, 3))
    eventually(lambda: run_ids(mail.store))
    assert in_a_process(mail, code).returncode == 9
    assert read_run(mail.store, "demo").status == "running"
    runs[0].finish()
    assert read_run(mail.store, "demo").status == "finished"
    heartbeat = mail.meta("demo")["heartbeat"]
    for step in range(2):
        runs[1].push_weights(step, G={"w": np.ones(3)}, shard=(2, 3))
    runs[1].finish()
    record = read_run(mail.store, "demo")
    assert (record.status, mail.meta("demo")["heartbeat"]) == ("finished", heartbeat)
    worked_off(mail)
    assert points(mail)["status"] == ["ok"]


def test_redis_that_comes_back_empty_finds_all_ranks_again(
    start: Start, mail: Mail, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "BEAT_INTERVAL_S", 0.05)
    monkeypatch.setattr(sender, "RETRY_FIRST_S", 0.05)
    monkeypatch.setattr(sender, "RETRY_LONGEST_S", 0.1)
    runs = [start("demo", redis_url=mail.redis_url) for _ in range(2)]
    push(runs, walk(3))
    eventually(lambda: mail.store.data.exists(keys.members("demo")))
    blob_url = mail.store.data.get(keys.BLOB_URL)
    mail.store.data.flushall()
    mail.store.data.set(keys.BLOB_URL, blob_url or b"")
    eventually(lambda: mail.store.data.exists(keys.members("demo")))
    for step in range(3, 6):
        for index, part in enumerate(np.split(walk(6)[step], 2)):
            runs[index].push_weights(step, G={"w": part}, shard=(index, 2))
    for run in runs:
        run.finish()
    worked_off(mail)
    assert points(mail)["value"][-2:] == angles(walk(6)[3:])


def test_offline_ranks_are_one_run_once_they_are_synced(
    start: Start, mail: Mail, tmp_path: Path
) -> None:
    # The member began first: rank 0 is synced first all the same.
    runs = [start("demo", mode="offline") for _ in range(2)][::-1]
    push(runs, walk(4))
    for run in runs:
        run.finish()
    for folder in spools_in(tmp_path / "sqd-home" / "spool"):
        sync(folder, redis_url=mail.redis_url)
    worked_off(mail)
    assert run_ids(mail.store) == ["demo"]
    assert points(mail)["value"] == angles(walk(4))


FULLY_SHARDED = """
import json, os, sys, torch, trainer_hooks
from torch import distributed, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

group, told = sys.argv[1:]
rank = int(os.environ["PART"])
distributed.init_process_group("gloo", init_method="file://" + group, rank=rank, world_size=2)
torch.manual_seed(0)
net = nn.Sequential(nn.Linear(7, 400), nn.ReLU(), nn.Linear(400, 400), nn.Linear(400, 1))
fully_shard(net, mesh=init_device_mesh("cpu", (2,)))
optimizer = torch.optim.Adam(net.parameters(), 1e-4)
snapshots = []
runs = [trainer_hooks.start(form, weights=form) for form in ("full", "sketch")]
for step in range(5):
    optimizer.zero_grad()
    net(torch.ones(4, 7)).square().mean().backward()
    optimizer.step()
    local = {name: p.to_local() for name, p in net.named_parameters()}
    for run in runs:
        run.push_weights(step, G=local, shard=(rank, 2), scalars={"loss": step})
        run.push_weights(step, B=net, shard=(rank, 2))
    whole = [p.full_tensor().detach().flatten() for p in net.parameters()]
    snapshots.append(torch.cat(whole).tolist())
for run in runs:
    run.finish()
if rank == 0:
    with open(told, "w") as file:
        json.dump(snapshots, file)
distributed.destroy_process_group()
"""


def test_two_ranks_of_a_fully_sharded_module(mail: Mail, tmp_path: Path) -> None:
    arguments = ["-c", FULLY_SHARDED, str(tmp_path / "group"), str(tmp_path / "told")]
    for ended in in_processes(mail, arguments, [{"PART": "0"}, {"PART": "1"}]):
        assert (ended.returncode, ended.stdout) == (0, ""), ended.stderr
    worked_off(mail)
    snapshots = [np.array(one, np.float32) for one in json.loads((tmp_path / "told").read_text())]
    exact = [stability.weight_angle(*pair) for pair in itertools.pairwise(snapshots)]
    full, sketch = points(mail, run="full"), points(mail, run="sketch")
    for found in (full, sketch):
        assert (found["step"], found["status"]) == ([1, 2, 3, 4], ["ok"] * 4)
    assert full["value"] == pytest.approx(exact, rel=1e-9)
    errors = np.abs(np.subtract(sketch["value"], exact))
    assert (errors < 4 * np.array(sketch["stderr"])).all()
    assert (np.array(sketch["stderr"]) < 0.02 * np.array(exact)).all()
    assert points(mail, "loss", run="full")["value"] == [0.0, 1.0, 2.0, 3.0, 4.0]
    # The bare module is refused, and the way out told.
    assert points(mail, "S.B", run="full")["status"] == ["failed"] * 5
    (reason,) = {each["reason"] for each in read_run(mail.store, "full").problems}
    assert "push_weights(step, {'B': {name: p.to_local() for name, p in" in reason
