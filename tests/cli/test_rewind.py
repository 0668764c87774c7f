"""`sqd rewind`: where the checkpoint from before a turning point lies."""

import json

import pytest

from monitor.store.connection import Store
from monitor.store.embedded import EmbeddedRedis
from tests.cli.conftest import Sqd
from tests.store.posting import Trainer
from tests.store.test_checkpoints import alert, beat, ring


def test_newest_comes_first(store: Store, sqd: Sqd, embedded: EmbeddedRedis) -> None:
    trainer = Trainer(store)
    alert(store, "a", 1015, "mode_collapse")
    alert(store, "b", 1035)
    beat(trainer, ring(1010, 1030, pins={1010: ["a"], 1030: ["b"]}))
    result = sqd("rewind", "demo", "--redis-url", embedded.redis_url)
    assert (result.code, result.err) == (0, "")
    assert result.out.splitlines() == [
        "/ring/step-1030-1.pt on box (step 1,030)",
        "  before quality at step 1,035: Q fell.",
        "/ring/step-1010-0.pt on box (step 1,010)",
        "  before mode_collapse at step 1,015: Q fell.",
    ]
    result = sqd("rewind", "demo", "--json", "--redis-url", embedded.redis_url)
    assert result.code == 0
    newest, older = json.loads(result.out)
    told = {"id", "kind", "step", "time", "message"}
    newest["alert"] = {name: value for name, value in newest["alert"].items() if name in told}
    assert newest == {
        "step": 1030, "path": "/ring/step-1030-1.pt", "host": "box", "pinned": True,
        "alert": {"id": "b", "kind": "quality", "step": 1035, "time": 1035, "message": "Q fell."},
    }  # fmt: skip
    assert older["alert"]["id"] == "a"


def test_what_an_ended_trainer_left(store: Store, sqd: Sqd, embedded: EmbeddedRedis) -> None:
    trainer = Trainer(store)
    beat(trainer, ring(10, 20), finished=True)
    alert(store, "a", 15)
    result = sqd("rewind", "demo", "--redis-url", embedded.redis_url)
    assert "step-10-0.pt on box (step 10, not pinned: its trainer ended first)" in result.out


@pytest.mark.parametrize(
    ("name", "said"),
    [("demo", "no checkpoint of run 'demo' is pinned"), ("absent", "no run is called 'absent'")],
)
@pytest.mark.parametrize("flags", [(), ("--json",)])
def test_nothing_is_code_1(
    store: Store, sqd: Sqd, embedded: EmbeddedRedis, name: str, said: str, flags: tuple[str, ...]
) -> None:
    Trainer(store)
    result = sqd("rewind", name, *flags, "--redis-url", embedded.redis_url)
    assert (result.code, result.out) == (1, "")
    (line,) = result.err.splitlines()
    assert said in line


def test_strange_words_stay_on_their_line(store: Store, sqd: Sqd, embedded: EmbeddedRedis) -> None:
    trainer = Trainer(store)
    alert(store, "a", 25)
    told = json.loads(ring(10, pins={10: ["a"]}))
    told["host"] = "\x1b[2J[red]\n"
    beat(trainer, json.dumps(told))
    result = sqd("rewind", "demo", "--redis-url", embedded.redis_url)
    assert len(result.out.splitlines()) == 2
    assert "\x1b" not in result.out
    assert "[red]" in result.out
