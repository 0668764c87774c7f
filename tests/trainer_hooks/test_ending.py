"""How a training ended is told, however its process ends."""

import contextlib
from pathlib import Path

import pytest

import trainer_hooks
from monitor.store.runs import read_run
from tests.trainer_hooks.conftest import Start
from tests.trainer_hooks.mail import Mail, eventually
from tests.trainer_hooks.trainers import in_a_process, in_processes


def test_exit_without_finish_counts_as_finished(mail: Mail) -> None:
    code = """
import trainer_hooks, numpy
for step in range(20):
    trainer_hooks.push_weights(step, G={"w": numpy.ones(3) * step}, scalars={"loss": step})
"""
    done = in_a_process(mail, code, SQD_RUN="demo")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert len(mail.scalars("demo")["loss"]) == 20
    assert read_run(mail.store, "demo").status == "finished"


def test_trainer_that_raises_keeps_its_error(mail: Mail) -> None:
    code = "import trainer_hooks; trainer_hooks.push_weights(1, scalars={'a': 1}); 1 / 0"
    done = in_a_process(mail, code, SQD_RUN="demo")
    assert done.returncode == 1
    assert done.stderr.strip().endswith("ZeroDivisionError: division by zero")
    assert mail.scalars("demo") == {"a": [(1, 1.0)]}
    record = read_run(mail.store, "demo")
    assert (record.status, record.crash) == ("lost", "ZeroDivisionError: division by zero")


@pytest.mark.parametrize(
    "end",
    [
        "raise KeyboardInterrupt", "sys.exit(3)",
        # What an interpreter keeps of an error at its prompt ends nothing.
        "sys.ps1, sys.last_value = '>>> ', ValueError('a typing error')",
    ],
)  # fmt: skip
def test_end_by_somebodys_will_is_no_crash(mail: Mail, end: str) -> None:
    code = f"import sys, trainer_hooks; trainer_hooks.push_weights(1, scalars={{'a': 1}}); {end}"
    in_a_process(mail, code, SQD_RUN="demo")
    record = read_run(mail.store, "demo")
    assert (record.status, record.crash) == ("finished", "")


SPAWNED = """
import multiprocessing, sys
import numpy, trainer_hooks

def train(fails):
    for step in range(5):
        trainer_hooks.push_weights(step, scalars={"loss": step})
    if fails:
        raise ValueError("bad batch")

def as_torch_does(fails):
    try:
        train(fails)
    except Exception:
        sys.exit(1)

if __name__ == "__main__":
    child = multiprocessing.get_context(METHOD).Process(target=TARGET, args=(FAILS,))
    child.start()
    child.join()
    assert (child.exitcode != 0) is FAILS, child.exitcode
"""


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
@pytest.mark.parametrize(("target", "fails"), [
    ("train", False), ("train", True), ("as_torch_does", True),
])  # fmt: skip
def test_training_in_a_child_ends_like_any_other(
    mail: Mail, tmp_path: Path, method: str, target: str, fails: bool
) -> None:
    code = SPAWNED.replace("METHOD", repr(method)).replace("TARGET", target)
    script = tmp_path / "trainer.py"
    script.write_text(code.replace("FAILS", str(fails)))
    (done,) = in_processes(mail, [str(script)], [{"SQD_RUN": "demo"}])
    assert done.returncode == 0, done.stderr
    assert mail.scalars("demo") == {"loss": [(step, float(step)) for step in range(5)]}
    record = read_run(mail.store, "demo")
    expected = ("lost", "ValueError: bad batch") if fails else ("finished", "")
    assert (record.status, record.crash) == expected


def test_error_without_words_reaches_the_trainer_as_it_is(start: Start, mail: Mail) -> None:
    class Odd(Exception):
        def __str__(self) -> str:
            raise AttributeError("no words")

    run = start("demo", redis_url=mail.redis_url)
    run.push_weights(1, scalars={"loss": 1.0})
    with pytest.raises(Odd), run:
        raise Odd
    assert read_run(mail.store, "demo").crash == "Odd"


def test_run_whose_block_raises_is_lost_until_it_is_resumed(mail: Mail) -> None:
    run = trainer_hooks.start("demo", redis_url=mail.redis_url)
    run.push_weights(1, scalars={"loss": 1.0})
    with contextlib.suppress(ValueError), run:
        raise ValueError("bad\x00batch")
    record = read_run(mail.store, "demo")
    assert (record.status, record.crash, record.finished) == (
        "lost",
        "ValueError: bad\x00batch",
        None,
    )
    with trainer_hooks.start("demo", redis_url=mail.redis_url, resume=True) as run:
        run.push_weights(2, scalars={"loss": 1.0})
        eventually(lambda: read_run(mail.store, "demo").status == "running")
        assert read_run(mail.store, "demo").crash == ""
    assert read_run(mail.store, "demo").status == "finished"
