"""The line to Redis: what is written where, again and again with one result."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monitor.store.runs import read_run, run_ids
from tests.trainer_hooks.mail import Mail
from trainer_hooks import keys
from trainer_hooks.errors import BudgetUsedError, LinkError, RunDeletedError, RunLostError
from trainer_hooks.link import BLOB_TTL_S, Link
from trainer_hooks.settings import read_settings
from trainer_hooks.wire import Frame, decode

MIB = 2**20


def weights(row: int = 0, nbytes: int = 0) -> Frame:
    header: dict[str, Any] = {"networks": [], "scalars": [], "failures": []}
    tensors = {
        "row.seq": np.array([row]),
        "row.step": np.array([10 * row]),
        "row.epoch": np.array([np.nan]),
        "row.time": np.array([1795300000.5]),
        "padding": np.zeros(nbytes, np.uint8),
    }
    return Frame("weights", header, tensors)


def samples(batch: int, nbytes: int = 4, part: int = 0) -> Frame:
    header: dict[str, Any] = {
        "seq": batch,
        "step": batch,
        "epoch": None,
        "time": 1.0,
        "part": part,
        "last": True,
    }
    header |= {"nonfinite": 0, "clipped": 0, "failure": ""}
    return Frame("samples", header, {"samples": np.zeros((1, 1, 1, nbytes), np.uint8)})


def made(mail: Mail, segment: str = "seg", **options: Any) -> Link:
    settings = read_settings(
        {"SQD_HOME": "/nowhere"}, run="demo", redis_url=mail.redis_url, **options
    )
    return Link(settings, segment)


@pytest.fixture
def link(mail: Mail) -> Iterator[Link]:
    opened = made(mail, budget_bytes=8 * MIB)
    opened.connect(0)
    yield opened
    opened.close()


def outstanding(mail: Mail) -> tuple[int, int]:
    """Frames and bytes that no worker has processed."""
    used: Any = mail.store.blobs.get(keys.outstanding_bytes("demo"))
    return int(mail.store.blobs.zcard(keys.outstanding("demo"))), int(used or 0)


def test_frame_lies_on_the_volatile_redis_and_its_job_on_the_durable(
    link: Link, mail: Mail
) -> None:
    answer = link.post(weights(3), last_row=3, last_step=30)
    assert (answer.batches_done, answer.alerts) == (0, ())
    entries: Any = mail.store.data.xrange(keys.jobs(0, "fast"))
    ((_, job),) = entries
    told = {name.decode(): value.decode() for name, value in job.items()}
    assert told["blob"] == "seg-weights-3-0"
    assert (told["run"], told["segment"], told["kind"]) == ("demo", "seg", "weights")
    assert (told["row"], told["step"], float(told["time"])) == ("3", "30", 1795300000.5)
    blob = keys.blob("demo", told["blob"])
    data = mail.store.blobs.get(blob)
    assert isinstance(data, bytes)
    assert int(told["bytes"]) == len(data)
    frame = decode(data)
    assert (frame.header["run"], frame.header["segment"]) == ("demo", "seg")
    assert 0 < mail.store.blobs.ttl(blob) <= BLOB_TTL_S
    assert mail.store.data.get(blob) is None
    assert outstanding(mail) == (1, len(data))


def test_frame_sent_again_after_a_lost_answer_is_counted_once(link: Link, mail: Mail) -> None:
    for _ in range(3):
        link.post(weights(), 0, 0)
        link.close()
        link.connect(0)
    assert outstanding(mail)[0] == 1
    frames = mail.frames("demo", "fast")
    assert len(frames) == 3
    assert len({frame.tensors["row.seq"].tobytes() for frame in frames}) == 1


def test_parts_of_a_batch_are_frames_of_their_own(link: Link, mail: Mail) -> None:
    for part in range(3):
        link.post(samples(7, part=part), 7, 7)
    assert outstanding(mail)[0] == 3
    assert mail.meta("demo")["pushed:samples"] == "7"


def test_budget_is_the_runs_and_samples_leave_a_part_of_it(link: Link, mail: Mail) -> None:
    link.post(samples(0, 3 * MIB), 0, 0)
    link.post(samples(1, 2 * MIB), 1, 1)
    with pytest.raises(BudgetUsedError, match="not yet processed"):
        link.post(samples(2, 2 * MIB), 2, 2)
    link.post(weights(0, 2 * MIB), 0, 0)
    with pytest.raises(BudgetUsedError):
        link.post(weights(1, 2 * MIB), 1, 1)
    assert outstanding(mail)[1] <= 8 * MIB
    assert mail.store.data.xlen(keys.jobs(0, "samples")) == 2
    mail.store.blobs.delete(keys.outstanding("demo"), keys.outstanding_bytes("demo"))
    link.post(weights(1, 2 * MIB), 1, 1)


def test_one_frame_larger_than_the_budget_still_passes_when_nothing_waits(link: Link) -> None:
    link.post(weights(0, 9 * MIB), 0, 0)
    with pytest.raises(BudgetUsedError):
        link.post(weights(1), 1, 1)


def test_frames_that_no_worker_took_in_time_free_their_budget(link: Link, mail: Mail) -> None:
    link.post(weights(0, 7 * MIB), 0, 0)
    members: Any = mail.store.blobs.zrange(keys.outstanding("demo"), 0, -1)
    (member,) = members
    mail.store.blobs.zadd(keys.outstanding("demo"), {member: 1.0})
    link.post(weights(1, 7 * MIB), 1, 1)
    assert outstanding(mail)[0] == 1


def test_beat_tells_drops_and_networks_and_hears_alerts(link: Link, mail: Mail) -> None:
    mail.store.data.hset(keys.alerts("demo"), "a", json.dumps({"id": "a"}))
    mail.store.data.hset(keys.rows("demo"), "seg:samples", 4)
    network = {"G": {"parameters": 1, "tensors": 1, "weights": "full"}}
    answer = link.beat({"budget.weights": 2}, network)
    assert (answer.batches_done, answer.alerts) == (4, ({"id": "a"},))
    record = read_run(mail.store, "demo")
    assert (record.drops, record.networks) == ({"budget.weights": 2}, network)
    assert (record.status, record.heartbeat_age_s < 60) == ("running", True)
    link.beat({}, {})
    assert read_run(mail.store, "demo").networks == network
    link.beat({}, {}, finished=True)
    assert read_run(mail.store, "demo").status == "finished"
    link.beat({}, {}, finished=True, crash="x" * 10_000)
    record = read_run(mail.store, "demo")
    assert (record.status, record.crash) == ("lost", "x" * 500)
    link.beat({}, {})
    assert (read_run(mail.store, "demo").status, mail.meta("demo").get("crash")) == (
        "running",
        None,
    )


def test_older_process_of_a_resumed_run_does_not_finish_it(link: Link, mail: Mail) -> None:
    newer = made(mail, "newer", resume=True)
    newer.connect(0)
    link.beat({}, {}, finished=True)
    assert read_run(mail.store, "demo").status == "running"
    newer.beat({}, {}, finished=True)
    assert read_run(mail.store, "demo").status == "finished"
    newer.close()


def test_older_process_says_nothing_of_how_far_the_run_is(link: Link, mail: Mail) -> None:
    link.post(samples(300), 300, 3000)
    newer = made(mail, "newer", resume=True)
    newer.connect(0)
    assert read_run(mail.store, "demo").pushed_rows == {}
    newer.post(samples(2), 2, 20)
    before = mail.meta("demo")
    link.post(samples(301), 301, 3010)
    link.beat({"budget.samples": 1}, {"G": {"parameters": 1}})
    after = mail.meta("demo")
    assert after.pop("drops:seg") == '{"budget.samples": 1}'
    assert (after, after["pushed:samples"]) == (before, "2")
    newer.close()


def test_reservations_end_by_themselves(link: Link, mail: Mail) -> None:
    link.post(weights(), 0, 0)
    for key in (keys.outstanding("demo"), keys.outstanding_bytes("demo")):
        assert 0 < int(mail.store.blobs.ttl(key)) <= BLOB_TTL_S


def test_registering_again_changes_nothing(link: Link, mail: Mail) -> None:
    before = mail.meta("demo") | {"heartbeat": ""}
    lost_answer = made(mail)
    lost_answer.connect(0)
    assert lost_answer.run == "demo"
    assert mail.meta("demo") | {"heartbeat": ""} == before | {"config": mail.meta("demo")["config"]}
    assert run_ids(mail.store) == ["demo"]
    lost_answer.close()


def test_deleted_and_lost_are_told_apart(link: Link, mail: Mail) -> None:
    segments = keys.segments("demo")
    mail.store.data.delete(segments)
    with pytest.raises(RunDeletedError, match="'demo' was deleted"):
        link.post(weights(), 0, 0)
    with pytest.raises(RunDeletedError):
        link.beat({}, {})
    mail.store.data.set(keys.INSTANCE, "another")
    with pytest.raises(RunLostError):
        link.beat({}, {})
    link.close()
    link.connect(first_row=5)
    assert json.loads(mail.store.data.hget(segments, "seg") or "")["first_row"] == 5


def test_without_a_line_nothing_is_sent(mail: Mail) -> None:
    link = made(mail)
    with pytest.raises(LinkError, match="not connected"):
        link.post(weights(), 0, 0)
    with pytest.raises(LinkError, match="not connected"):
        link.beat({}, {})
    link.close()


def test_nobody_says_where_redis_is(tmp_path: Path) -> None:
    settings = read_settings({"SQD_HOME": str(tmp_path)}, run="demo")
    with pytest.raises(LinkError, match="start `sqd up`, or set SQD_REDIS_URL") as caught:
        Link(settings, "seg").connect(0)
    assert str(tmp_path / "endpoint") in str(caught.value)


def test_endpoint_with_an_unusable_url_keeps_its_password(tmp_path: Path) -> None:
    (tmp_path / "endpoint").write_text('{"redis_url": "redis://:hunter2@box:port/0"}')
    settings = read_settings({"SQD_HOME": str(tmp_path)}, run="demo")
    with pytest.raises(LinkError, match="not usable") as caught:
        Link(settings, "seg").connect(0)
    assert "hunter2" not in str(caught.value)


def test_one_redis_serves_as_both(mail: Mail) -> None:
    mail.store.data.delete(keys.BLOB_URL)
    link = made(mail)
    link.connect(0)
    link.post(weights(), 0, 0)
    assert mail.store.data.get(keys.blob("demo", "seg-weights-0-0"))
    link.close()
