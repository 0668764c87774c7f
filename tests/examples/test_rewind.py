"""The example goes the whole way: a forced alert, back, on with the cure, stopped by request."""

import json
import threading
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
import torch

from examples.gan_zoo.recipe import Recipe
from examples.rewind import train as example
from monitor.store.control import ask_to_stop
from monitor.store.runs import read_run, run_ids
from tests.trainer_hooks.mail import Mail, eventually
from trainer_hooks import keys, sender

TINY = ["--data", "mixture", "--iterations", "1000000", "--every", "5", "--keep", "1000"]


@pytest.fixture(autouse=True)
def _lively(monkeypatch: pytest.MonkeyPatch, mail: Mail) -> None:
    monkeypatch.setattr(sender, "BEAT_INTERVAL_S", 0.05)
    monkeypatch.setattr(torch, "set_num_threads", lambda _: None)
    monkeypatch.setenv("SQD_REDIS_URL", mail.redis_url)


def raise_alert(mail: Mail, name: str, kind: str, step: int) -> None:
    """As the watch does."""
    alert = {
        "id": name, "run": "rewind", "kind": kind, "step": step, "detected_step": step,
        "metrics": ["D"], "severity": "critical", "message": "D fell.",
        "time": mail.store.now_s(),
    }  # fmt: skip
    mail.store.data.hset(keys.alerts("rewind"), name, json.dumps(alert))


def test_it_goes_the_whole_way(mail: Mail, capsys: pytest.CaptureFixture[str]) -> None:
    trainer = threading.Thread(target=example.main, args=([*TINY, "--samples", "64"],))
    trainer.start()
    try:
        eventually(lambda: run_ids(mail.store))
        eventually(lambda: steps(mail)[-1:] > [20])
        raise_alert(mail, "a", "quality", 12)
        raise_alert(mail, "b", "mode_collapse", 13)
        eventually(lambda: "penalty.D" in mail.scalars("rewind"))
    finally:
        ask_to_stop(mail.store, "rewind", "test")
        trainer.join(60)
    assert not trainer.is_alive()
    record = read_run(mail.store, "rewind")
    assert record.status == "finished"
    assert record.drops == {}
    assert {(each.alert, each.step) for each in record.pinned} == {("a", 10), ("b", 10)}
    went = steps(mail)
    turn = next(i for i, (now, then) in enumerate(pairwise(went)) if then < now)
    assert went[turn + 1] == 11
    # The penalty is there from the first step after the rewind on, and never before.
    assert [step for step, _ in mail.scalars("rewind")["penalty.D"]] == went[turn + 1 :]
    said = capsys.readouterr().out
    assert said.count("back at step 10, on with the cure") == 1


def test_session_goes_on_bit_for_bit_with_the_cure(tmp_path: Any) -> None:
    recipe = Recipe(data="mixture", width=8, batch=4, learning_rate=2e-3)
    cured = replace(recipe, penalty="gp", learning_rate=3e-4)
    session = example.Session(recipe, cured, "cpu")
    for _ in range(3):
        session.training.iterate()
    session.save(tmp_path / "x")
    left = [weight.clone() for weight in session.training.netG.parameters()]
    session.training.iterate()
    session.load(tmp_path / "x")
    assert session.training.step == 3
    assert session.training.recipe == cured
    optimizers = (session.training.optG, session.training.optD)
    assert [group["lr"] for each in optimizers for group in each.param_groups] == [3e-4, 3e-4]
    assert [each.state_dict()["state"] for each in optimizers] == [{}, {}]
    weights = list(session.training.netG.parameters())
    assert all(torch.equal(one, other) for one, other in zip(left, weights, strict=True))
    assert "penalty.D" in session.training.iterate()


def steps(mail: Mail) -> list[int]:
    """Of all pushes, in their order."""
    return [step for step, _ in mail.scalars("rewind").get("loss.D", [])]
