"""The two calls end to end: what was pushed is what arrives, under the run's name."""

import functools
import gc
import json
import logging
import threading
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import trainer_hooks
from monitor.store.runs import delete_run, read_run, run_ids
from tests.trainer_hooks.conftest import Start
from tests.trainer_hooks.mail import Mail, eventually
from tests.trainer_hooks.trainers import in_a_process
from trainer_hooks import Run, keys, push_samples, push_weights
from trainer_hooks.errors import HookError, NetworkError, SamplesError, SettingError
from trainer_hooks.sender import Sender

ODD_NAMES = [
    "x" * 128, "%41 %", "a:b", "*?[a]", "{0}", "  ", "<img src=x onerror=alert(1)>", "损失 🎲", "…"
]  # fmt: skip


def net() -> nn.Module:
    return nn.Linear(3, 2)


def images(n: int = 4, value: int = 7) -> np.ndarray[Any, Any]:
    return np.full((n, 1, 2, 2), value, np.uint8)


def test_what_is_pushed_arrives(start: Start, mail: Mail) -> None:
    run = start("demo", redis_url=mail.redis_url, samples=4, samples_every=1, tags=["t"])
    G = net()
    for step in range(5):
        push_weights(step, {"E MA": G}, G=G, epoch=step / 2, scalars={"loss": step / 4})
        push_samples(step, images(value=step), epoch=step / 2)
    run.finish()
    assert mail.scalars("demo") == {"loss": [(step, step / 4) for step in range(5)]}
    steps = [(step, 0, 1) for step in range(1, 5)]
    assert [pair for pair in mail.pairs("demo", "G") if pair[1] == 0] == steps
    assert [pair for pair in mail.pairs("demo", "E MA") if pair[1] == 0] == steps
    batches = mail.batches("demo")
    assert [int(batches[step][0, 0, 0, 0]) for step in range(5)] == list(range(5))
    assert run.dropped == {}
    record = read_run(mail.store, "demo")
    assert (record.status, record.tags, record.drops) == ("finished", ["t"], {})
    assert record.networks["G"] == {"parameters": 8, "tensors": 2, "weights": "full"}
    assert record.pushed_steps == {"weights": 4, "samples": 4}


def test_call_that_never_ends_takes_half_of_the_time_to_flush(
    start: Start, mail: Mail, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[float] = []
    close = Sender.close

    def closed(self: Sender, timeout_s: float, crash: str) -> None:
        given.append(timeout_s)
        close(self, timeout_s, crash)

    monkeypatch.setattr(Sender, "close", closed)
    run = start("demo", redis_url=mail.redis_url, flush_timeout_s=4, samples_every=1)
    begun, end = threading.Event(), threading.Event()

    def endless(n: int) -> np.ndarray[Any, Any]:
        begun.set()
        end.wait()
        return images(n)

    push_weights(0, scalars={"loss": 0.5})
    thread = threading.Thread(target=push_samples, args=(0, endless))
    thread.start()
    begun.wait()
    try:
        run.finish()
    finally:
        end.set()
        thread.join()
    # Together with the wait for the call, no more than what was asked for.
    assert 0 < given[0] <= 2
    assert mail.scalars("demo") == {"loss": [(0, 0.5)]}


def test_last_epoch_is_closed_by_the_end(start: Start, mail: Mail) -> None:
    run = start("demo", redis_url=mail.redis_url)
    G = net()
    for step in range(6):
        push_weights(step, G=G, epoch=step // 2)
    run.finish()
    assert [pair for pair in mail.pairs("demo", "G") if pair[1] == 1] == [(3, 1, 2), (5, 1, 2)]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_names_break_nothing(start: Start, mail: Mail, name: str) -> None:
    run = start(name, redis_url=mail.redis_url, samples=1, samples_every=1)
    network = {"w" + name[:100]: np.ones(2)}
    for step in range(2):
        run.push_weights(step, {name: network}, scalars={name: 0.5})
        run.push_samples(step, images(1))
    run.finish()
    assert run_ids(mail.store) == [name]
    assert mail.scalars(name) == {name: [(0, 0.5), (1, 0.5)]}
    assert mail.pairs(name, name) == [(1, 0, 1)]
    assert len(mail.batches(name)) == 2
    delete_run(mail.store, name)
    assert mail.store.data.keys("sqd:*:run:*") == []


def test_name_that_is_taken_gets_a_number(start: Start, mail: Mail) -> None:
    expected = ["demo", "demo-2", "demo-3", "x" * 128, "x" * 126 + "-2"]
    found = []
    for name in ("demo", "demo", "demo", "x" * 128, "x" * 128):
        run = start(name, redis_url=mail.redis_url)
        run.push_weights(1, scalars={"loss": 1.0})
        run.finish()
        found.append(run.id)
    assert found == expected
    assert sorted(run_ids(mail.store)) == sorted(expected)


def test_resumed_run_goes_on_under_its_name(start: Start, mail: Mail) -> None:
    for step in (1, 2):
        run = start("demo", redis_url=mail.redis_url, resume=True, config={"try": step})
        run.push_weights(step, G=net(), scalars={"loss": float(step)})
        run.push_weights(step, G=net())
        run.finish()
        assert run.id == "demo"
    record = read_run(mail.store, "demo")
    assert [segment.ordinal for segment in record.segments] == [0, 1]
    assert record.config["try"] == 2
    assert mail.scalars("demo") == {"loss": [(1, 1.0), (2, 2.0)]}
    assert "G" in record.networks


def test_two_runs_in_one_process_do_not_mix(start: Start, mail: Mail) -> None:
    a, b = (start(name, redis_url=mail.redis_url) for name in "ab")
    a.push_weights(1, scalars={"loss": 1.0})
    b.push_weights(2, scalars={"loss": 2.0})
    push_weights(3, scalars={"loss": 3.0})
    a.finish()
    b.push_weights(4, scalars={"loss": 4.0})
    b.finish()
    assert mail.scalars("a") == {"loss": [(1, 1.0)]}
    assert mail.scalars("b") == {"loss": [(2, 2.0), (3, 3.0), (4, 4.0)]}


def test_threads_push_together(start: Start, mail: Mail) -> None:
    run = start("demo", redis_url=mail.redis_url, samples=2, samples_every=1)
    G = net()

    def work(first: int) -> None:
        for step in range(first, first + 50):
            run.push_weights(step, G=G, scalars={f"loss.{first}": float(step)})
            run.push_samples(step, images(2))

    threads = [threading.Thread(target=work, args=(first,)) for first in range(0, 200, 50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    run.finish()
    for first in range(0, 200, 50):
        expected = [(step, float(step)) for step in range(first, first + 50)]
        assert mail.scalars("demo")[f"loss.{first}"] == expected
    assert run.dropped == {}


def test_samples_accumulate_and_the_rest_goes_out_at_the_end(start: Start, mail: Mail) -> None:
    run = start("demo", redis_url=mail.redis_url, samples=10, samples_every=4)
    for step in range(10):
        push_samples(step, images(3, step))
    run.finish()
    batches = {step: batch[:, 0, 0, 0].tolist() for step, batch in mail.batches("demo").items()}
    assert batches == {
        0: [0, 0, 0, 1, 1, 1, 2, 2, 2, 3],
        4: [4, 4, 4, 5, 5, 5, 6, 6, 6, 7],
        8: [8, 8, 8, 9, 9, 9],
    }


def test_batch_that_is_incomplete_at_the_next_due_step_goes_out_smaller(
    start: Start, mail: Mail
) -> None:
    run = start("demo", redis_url=mail.redis_url, samples=100, samples_every=3)
    for step in range(7):
        push_samples(step, images(2, step))
    run.finish()
    assert {step: len(batch) for step, batch in mail.batches("demo").items()} == {0: 6, 3: 6, 6: 2}


def test_callable_is_called_only_when_due(start: Start, mail: Mail) -> None:
    run = start("demo", redis_url=mail.redis_url, samples=70, samples_every=5)
    asked: list[tuple[int, int]] = []

    def source(step: int, n: int) -> Any:
        asked.append((step, n))
        return images(n, step)

    for step in range(11):
        push_samples(step, functools.partial(source, step))
    run.finish()
    # The first piece of a run is small: it tells what a sample takes.
    assert asked == [(0, 2), (0, 34), (0, 34), (5, 35), (5, 35), (10, 35), (10, 35)]
    assert {step: len(batch) for step, batch in mail.batches("demo").items()} == {
        0: 70,
        5: 70,
        10: 70,
    }


def test_large_images_are_asked_for_in_pieces_that_fit_the_budget(start: Start) -> None:
    run = start("demo", mode="offline", samples=40, samples_every=1, budget_bytes=8 * 2**20)
    asked: list[int] = []

    def source(n: int) -> torch.Tensor:
        asked.append(n)
        return torch.zeros(n, 3, 512, 512)

    push_samples(0, source)
    run.finish()
    assert len(asked) > 1
    assert set(asked) == {2}


def test_large_batch_goes_in_chunks(start: Start, mail: Mail) -> None:
    run = start("demo", redis_url=mail.redis_url, samples=1000, samples_every=1)
    values = np.random.default_rng(1).integers(0, 256, (1200, 3, 4, 4), np.uint8)
    push_samples(0, values)
    run.finish()
    assert len(mail.samples("demo")) > 1
    assert np.array_equal(mail.batches("demo")[0], values[:1000])


def test_sampling_by_epochs_that_nobody_tells_is_said_once(
    start: Start, mail: Mail, caplog: pytest.LogCaptureFixture
) -> None:
    run = start("demo", redis_url=mail.redis_url, samples=4, samples_every="epoch")
    for step in range(3):
        push_samples(step, images())
    assert [record.getMessage().count("epoch=…") for record in caplog.records] == [1]
    push_samples(3, images(), epoch=0)
    push_samples(4, images())
    run.finish()
    assert len(caplog.records) == 1
    assert list(mail.batches("demo")) == [3]


@pytest.mark.parametrize("source", ["callable", "batch"])
def test_bad_samples_become_a_failed_batch_with_the_reason(
    start: Start, mail: Mail, source: str
) -> None:
    run = start("demo", redis_url=mail.redis_url, samples=4, samples_every=1)
    bad = np.zeros((4, 2, 2), np.int64)
    push_samples(0, (lambda n: bad) if source == "callable" else bad)
    push_samples(1, images())
    run.finish()
    first, second = mail.samples("demo")
    assert "dtype int64" in first.failure
    assert (first.last, len(first.samples)) == (True, 0)
    assert (second.failure, len(second.samples)) == ("", 4)
    assert run.dropped == {"bad_samples": 1}


def test_callable_that_raises_is_said_once_and_counted(
    start: Start, mail: Mail, caplog: pytest.LogCaptureFixture
) -> None:
    run = start("demo", redis_url=mail.redis_url, samples=4, samples_every=1)
    with caplog.at_level(logging.WARNING):
        for step in range(5):
            push_samples(step, lambda n: 1 / 0)
    run.finish()
    assert run.dropped == {"bad_samples": 5}
    said = [record for record in caplog.records if "ZeroDivisionError" in record.getMessage()]
    assert len(said) == 1
    failures = [frame.failure for frame in mail.samples("demo")]
    assert failures == ["the sample callable raised ZeroDivisionError: division by zero"] * 5


def test_bad_range_fails_the_batch_and_says_why(start: Start, mail: Mail) -> None:
    run = start("demo", redis_url=mail.redis_url, samples=4, samples_every=2)
    for step in range(4):
        push_samples(step, images(), value_range=(1, -1))
    run.finish()
    assert ["value_range must be" in frame.failure for frame in mail.samples("demo")] == [True] * 2


def test_bad_network_becomes_a_failed_point_and_the_rest_arrives(start: Start, mail: Mail) -> None:
    run = start("demo", redis_url=mail.redis_url)
    G = net()
    for step in range(3):
        push_weights(step, {"D": G}, G=G, E={}, D=G, scalars={"loss": 1.0, "bad": "x"})
    push_weights(3, nn.Linear(2, 2), scalars={"loss": 2.0})  # type: ignore[arg-type]
    push_weights(4, G=G, shard=(2, 2), scalars={"loss": 3.0})
    run.finish()
    assert len(mail.pairs("demo", "G")) == 2
    assert [value for _, value in mail.scalars("demo")["loss"]] == [1.0, 1.0, 1.0, 2.0, 3.0]
    failures = mail.failures("demo")
    assert sorted(failures) == ["S.D", "S.E", "S.G"]
    assert "given twice" in failures["S.D"][0][1]
    assert "shard=(2, 2): expected (i, n)" in failures["S.G"][0][1]
    assert run.dropped == {"bad_network": 8, "bad_scalar": 3}
    assert read_run(mail.store, "demo").drops == run.dropped


def test_network_that_changes_shape_says_so(start: Start, mail: Mail) -> None:
    run = start("demo", redis_url=mail.redis_url)
    for step in range(4):
        push_weights(step, G={"w": np.ones(2 if step < 2 else 3)})
    run.finish()
    ((step, reason),) = mail.failures("demo")["S.G"]
    assert (step, "changed shape" in reason) == (2, True)
    assert [pair[0] for pair in mail.pairs("demo", "G")] == [1, 3]


WRONG_CALLS: dict[str, Callable[[], Any]] = {
    "nothing": lambda: push_weights(),  # type: ignore[call-arg]
    "no samples": lambda: push_samples(1),  # type: ignore[call-arg]
    "unknown option": lambda: push_samples(1, images(), size=3),  # type: ignore[call-arg]
    "step text": lambda: push_weights("one", G=net()),  # type: ignore[arg-type]
    "step fraction": lambda: push_weights(1.5, G=net()),  # type: ignore[arg-type]
    "step negative": lambda: push_weights(-1, G=net()),
    "step huge": lambda: push_weights(2**53, G=net()),
    "step NaN": lambda: push_weights(float("nan"), G=net()),  # type: ignore[arg-type]
    "step None": lambda: push_samples(None, images()),  # type: ignore[arg-type]
    "epoch text": lambda: push_weights(1, G=net(), epoch="one"),  # type: ignore[arg-type]
    "epoch NaN": lambda: push_samples(1, images(), epoch=float("nan")),
    "scalars a list": lambda: push_weights(1, scalars=[1.0]),  # type: ignore[arg-type]
    "shard a number": lambda: push_weights(1, G=net(), shard=3),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("name", WRONG_CALLS)
def test_wrong_calls_never_raise_and_are_counted(start: Start, mail: Mail, name: str) -> None:
    run = start("demo", redis_url=mail.redis_url, samples=4, samples_every=1)
    WRONG_CALLS[name]()
    assert sum(run.dropped.values()) == 1


@pytest.mark.parametrize("name", WRONG_CALLS)
def test_wrong_calls_raise_if_strict(start: Start, mail: Mail, name: str) -> None:
    start("demo", redis_url=mail.redis_url, samples=4, samples_every=1, strict=True)
    with pytest.raises((HookError, TypeError, AttributeError)):
        WRONG_CALLS[name]()


def test_strict_raises_what_is_wrong(start: Start, mail: Mail) -> None:
    start("demo", redis_url=mail.redis_url, samples=4, samples_every=1, strict=True)
    with pytest.raises(NetworkError):
        push_weights(1, G={})
    with pytest.raises(SamplesError):
        push_samples(1, lambda n: 1 / 0)


@pytest.mark.parametrize("config", [5, "lr", [1], {"x": float("inf")}], ids=repr)
def test_config_that_is_none_is_told_as_any_other_setting(config: Any) -> None:
    with pytest.raises(SettingError, match="config "):
        trainer_hooks.start(config=config)


def test_steps_of_other_kinds_of_numbers(start: Start, mail: Mail) -> None:
    run = start("demo", redis_url=mail.redis_url)
    for step in (np.int64(1), torch.tensor(2), 3.0, True):
        push_weights(step, scalars={"loss": 1.0})  # type: ignore[arg-type]
    run.finish()
    assert [step for step, _ in mail.scalars("demo")["loss"]] == [1, 2, 3, 1]


def test_alerts_are_told_once(start: Start, mail: Mail, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainer_hooks.sender, "BEAT_INTERVAL_S", 0.05)
    run = start("demo", redis_url=mail.redis_url)
    push_weights(0, scalars={"loss": 1.0})
    eventually(lambda: run_ids(mail.store))
    assert run.alerts() == []
    for name in "ab":
        alert = json.dumps({"id": name, "message": "D fell"})
        mail.store.data.hset(keys.alerts("demo"), name, alert)
        (told,) = eventually(run.alerts)
        assert told == {"id": name, "message": "D fell"}
        assert run.alerts() == []
    run.finish()
    assert run.alerts() == []


def test_more_alerts_than_a_script_can_unpack(
    start: Start, mail: Mail, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainer_hooks.sender, "BEAT_INTERVAL_S", 0.05)
    run = start("demo", redis_url=mail.redis_url)
    push_weights(0, scalars={"loss": 1.0})
    pairs = [part for i in range(9000) for part in (str(i), json.dumps({"id": str(i)}))]
    mail.store.data.hset(keys.alerts("demo"), items=pairs)
    assert len(eventually(run.alerts)) == 9000


def test_disabled_run_does_nothing(start: Start, mail: Mail) -> None:
    run = start("demo", redis_url=mail.redis_url, mode="disabled")
    threads = threading.active_count()
    push_weights(1, G=net())
    push_samples(1, lambda n: 1 / 0)
    with run:
        assert (run.id, run.active, run.dropped, run.alerts()) == ("demo", False, {}, [])
    assert threading.active_count() == threads
    assert mail.store.data.keys("sqd:*run*") == []


def test_context_manager_finishes_and_later_calls_do_nothing(mail: Mail) -> None:
    with trainer_hooks.start("demo", redis_url=mail.redis_url) as run:
        push_weights(1, scalars={"loss": 1.0})
    run.finish()
    push_weights(2, scalars={"loss": 2.0})
    assert mail.scalars("demo") == {"loss": [(1, 1.0)]}
    assert mail.meta("demo")["finished"]


def test_finished_run_keeps_nothing_alive(mail: Mail) -> None:
    threads = set(threading.enumerate())
    run = trainer_hooks.start("demo", redis_url=mail.redis_url)
    run.push_weights(1, scalars={"loss": 1.0})
    run.finish()
    assert set(threading.enumerate()) == threads
    gone = weakref.ref(run)
    trainer_hooks._current = None
    del run
    gc.collect()
    assert gone() is None


def test_first_push_begins_a_run_from_the_environment(
    mail: Mail, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SQD_RUN", "from environment")
    monkeypatch.setenv("SQD_REDIS_URL", mail.redis_url)
    push_weights(1, scalars={"loss": 1.0})
    run = trainer_hooks._current
    assert isinstance(run, Run)
    run.finish()
    assert mail.scalars("from environment") == {"loss": [(1, 1.0)]}


@pytest.mark.parametrize(
    ("name", "value"), [("SQD_SAMPLES", "many"), ("SQD_RUN", "a/b"), ("SQD_REDIS_URL", "box")]
)
def test_bad_environment_is_said_and_pushes_nothing(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(name, value)
    for step in range(3):
        push_weights(step, G=net())
        push_samples(step, images())
    assert trainer_hooks._current is not None
    assert not trainer_hooks._current.active
    assert len([r for r in caplog.records if "nothing is pushed" in r.getMessage()]) == 1


def test_host_without_threads_to_spare(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def start(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    push_weights(1, G=net())
    assert "can't start new thread" in caplog.text


def test_forked_children_do_nothing_and_leave_the_parent_alone(mail: Mail) -> None:
    code = """
import os, sys, trainer_hooks
from trainer_hooks import push_weights
run = trainer_hooks.start("demo")
push_weights(0, scalars={"loss": 0.0})
child = os.fork()
if child == 0:
    push_weights(99, scalars={"loss": 99.0})
    run.finish()
    assert not run.active and run.alerts() == []
    sys.exit(0)
assert os.waitpid(child, 0)[1] == 0
push_weights(1, scalars={"loss": 1.0})
"""
    done = in_a_process(mail, code)
    assert (done.returncode, done.stderr) == (0, "")
    assert mail.scalars("demo") == {"loss": [(0, 0.0), (1, 1.0)]}
    assert run_ids(mail.store) == ["demo"]


def test_hooks_need_no_torch_and_no_monitor(mail: Mail) -> None:
    code = """
import sys, numpy
class Nothing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "monitor"):
            raise ImportError(name)
sys.meta_path.insert(0, Nothing())
import trainer_hooks
with trainer_hooks.start("demo", samples=4, samples_every=1, weights="sketch"):
    for step in range(3):
        trainer_hooks.push_weights(step, G={"w": numpy.ones(300_000)})
        trainer_hooks.push_samples(step, lambda n: numpy.random.rand(n, 3, 4, 4))
packages = {name.split(".")[0] for name in sys.modules}
assert not packages & {"torch", "monitor", "pydantic"}, packages
"""
    done = in_a_process(mail, code)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(mail.batches("demo")) == 3
    assert len(mail.pairs("demo", "G")) == 2


def test_calls_after_the_end_are_counted(start: Start, mail: Mail, caplog: Any) -> None:
    run = start("r", redis_url=mail.redis_url)
    run.push_weights(0, scalars={"loss": 1.0})
    run.finish()
    run.push_weights(1, scalars={"loss": 2.0})
    run.push_samples(1, np.zeros((2, 1, 8, 8), np.uint8))
    assert run.dropped == {"after_finish": 2}
    assert "push_weights after finish() is not kept: start a new run" in caplog.text
    disabled = start("off", mode="disabled")
    disabled.finish()
    disabled.push_weights(0, scalars={"loss": 1.0})
    assert disabled.dropped == {}


def test_scalars_that_are_no_mapping_cost_themselves(start: Start, mail: Mail, caplog: Any) -> None:
    run = start("r", redis_url=mail.redis_url)
    for step in range(2):
        run.push_weights(step, G={"w": np.full(3, step + 1.0)}, scalars=[1, 2])  # type: ignore[arg-type]
    run.push_weights(2, scalars={"a": "z"})
    run.finish()
    assert list(mail.angles("r", "G")) == [1]
    assert run.dropped == {"bad_scalar": 3}
    assert "scalars must be a mapping of names to numbers, not a list" in caplog.text
    assert "scalar 'a' is not kept: expected one number, got str" in caplog.text


@pytest.mark.parametrize(
    ("value_range", "low", "told"), [((-1, 1), 0.0, 1), ((0, 1), 0.0, 0), ((-1, 1), -0.1, 0)]
)
def test_images_in_the_bright_half_of_the_range_are_told_of_once(
    start: Start, mail: Mail, caplog: Any, value_range: Any, low: float, told: int
) -> None:
    run = start("r", redis_url=mail.redis_url, samples=300, samples_every=1)
    images = np.random.default_rng(0).uniform(low, 1, (300, 1, 8, 8)).astype(np.float32)
    for step in range(2):
        run.push_samples(step, images, value_range=value_range)
    run.finish()
    assert caplog.text.count("call push_samples(…, value_range=(0, 1))") == told
    assert len(mail.batches("r")) == 2
