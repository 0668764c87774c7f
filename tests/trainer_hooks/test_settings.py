"""Settings: arguments, then variables, then defaults; errors name the setting and its bound."""

import os
import socket
from pathlib import Path
from typing import Any

import pytest

from trainer_hooks.errors import BadNameError, SettingError
from trainer_hooks.settings import default_run, find_redis, read_settings


def test_defaults_are_the_contracts() -> None:
    found = read_settings({})
    assert (found.weights, found.weights_every) == ("auto", 1)
    assert (found.samples, found.samples_every) == (2000, "auto")
    assert (found.mode, found.resume, found.strict) == ("background", False, False)
    assert (found.max_overhead, found.budget_bytes) == (0.02, 256 * 2**20)
    assert (found.flush_timeout_s, found.metrics, found.tags) == (10.0, None, ())
    assert found.home == Path.home() / ".sqd"
    assert found.run.startswith(socket.gethostname()[:64])
    assert f"-{os.getpid()}" in found.run


def test_variables_are_read() -> None:
    found = read_settings(
        {
            "SQD_RUN": "faces 7",
            "SQD_REDIS_URL": "redis://:secret@box:6380/1",
            "SQD_BLOB_URL": "rediss://box",
            "SQD_HOME": "/data/sqd",
            "SQD_WEIGHTS": "sketch",
            "SQD_WEIGHTS_EVERY": "3",
            "SQD_SAMPLES": "500",
            "SQD_SAMPLES_EVERY": "200",
            "SQD_METRICS": "Q, D,",
            "SQD_RESUME": "1",
            "SQD_MODE": "disabled",
            "SQD_MAX_OVERHEAD": "0.1",
            "SQD_BUDGET_BYTES": "16777216",
            "SQD_FLUSH_TIMEOUT_S": "2.5",
            "SQD_STRICT": "TRUE",
            "SQD_TAGS": "a,b",
        }
    )
    assert (found.run, found.redis_url) == ("faces 7", "redis://:secret@box:6380/1")
    assert (found.blob_url, found.home) == ("rediss://box", Path("/data/sqd"))
    assert (found.weights, found.weights_every) == ("sketch", 3)
    assert (found.samples, found.samples_every) == (500, 200)
    assert (found.metrics, found.tags) == (("Q", "D"), ("a", "b"))
    assert (found.resume, found.mode, found.strict) == (True, "disabled", True)
    assert (found.max_overhead, found.budget_bytes) == (0.1, 2**24)
    assert found.flush_timeout_s == 2.5


def test_arguments_win_over_variables() -> None:
    environment = {"SQD_RUN": "theirs", "SQD_SAMPLES_EVERY": "5", "SQD_RESUME": "1"}
    found = read_settings(environment, run="ours", samples_every="epoch", resume=False)
    assert (found.run, found.samples_every, found.resume) == ("ours", "epoch", False)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("weights", "all", "weights is 'all'; allowed are auto, full, sketch"),
        ("mode", "online", "mode is 'online'; allowed are background, offline, disabled"),
        ("weights_every", 0, "weights_every is 0; the least is 1"),
        ("weights_every", 1.5, "weights_every is 1.5; expected a whole number"),
        ("samples", "many", "samples is 'many'; expected a whole number"),
        ("samples", True, "samples is True; expected a whole number"),
        ("samples", float("inf"), "samples is inf; expected a whole number"),
        ("samples_every", 0, "samples_every is 0; expected a number of steps ≥ 1"),
        ("samples_every", "often", "samples_every is 'often'"),
        ("max_overhead", 0, "max_overhead is 0.0; allowed are 1e-06 to 1.0"),
        ("max_overhead", "nan", "max_overhead is nan"),
        ("flush_timeout_s", -1, "flush_timeout_s is -1.0; allowed are 0.0 to 3600.0"),
        ("flush_timeout_s", "soon", "flush_timeout_s is 'soon'; expected a number"),
        ("budget_bytes", 1000, "budget_bytes is 1000; the least is 8388608"),
        ("resume", "maybe", "resume is 'maybe'"),
        ("strict", 2, "strict is 2"),
        ("tags", 7, "tags is 7; expected a list of words"),
        ("metrics", object, "metrics is"),
        ("config", [1], "config is of type list; expected a mapping"),
        ("config", {"x": float("nan")}, "config cannot be written as JSON"),
        ("redis_url", "localhost:6379", "redis_url is no Redis URL; expected redis://"),
        ("redis_url", "http://box", "redis_url is no Redis URL"),
        ("redis_url", 6379, "redis_url is no Redis URL"),
        ("redis_url", "redis://box:port", "redis_url is no Redis URL"),
        ("blob_url", "redis://box:99999", "blob_url is no Redis URL"),
    ],
)
def test_errors_name_the_setting_the_value_and_the_bound(name: str, value: Any, said: str) -> None:
    with pytest.raises(SettingError) as caught:
        read_settings({}, **{name: value})
    assert str(caught.value).startswith(said)


def test_passwords_stay_out_of_messages() -> None:
    with pytest.raises(SettingError) as caught:
        read_settings({"SQD_REDIS_URL": "redis//:hunter2@box"})
    assert "hunter2" not in str(caught.value)
    shown = read_settings({}, redis_url="redis://:hunter2@box").described()
    assert "hunter2" not in str(shown)


@pytest.mark.parametrize("run", ["", "a/b", "x" * 129, ".", "..", "a\x07", "\ud800"])
def test_run_names_follow_the_rule(run: str) -> None:
    with pytest.raises(BadNameError):
        read_settings({}, run=run) if run else read_settings({"SQD_RUN": "\t"})


@pytest.mark.parametrize("run", ["x" * 128, "%2f", "a:b*{c}", " ", "损失 🎲", "<img onerror>"])
def test_run_names_may_hold_anything_else(run: str) -> None:
    assert read_settings({}, run=run).run == run


def test_default_run_is_legal_on_any_host(monkeypatch: pytest.MonkeyPatch) -> None:
    for host in ("a/b", "x" * 200, "", "tab\there"):
        monkeypatch.setattr(socket, "gethostname", lambda host=host: host)
        assert read_settings({}, run=default_run()).run


def test_no_home_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    assert read_settings({}).home == Path("~/.sqd")


def test_config_is_copied_as_json() -> None:
    config = {"lr": 1e-3, "path": Path("/data"), "nested": {"a": [1]}}
    found = read_settings({}, config=config)
    config["lr"] = 2
    assert found.config == {"lr": 1e-3, "path": "/data", "nested": {"a": [1]}}


def test_redis_is_found_by_argument_then_endpoint(tmp_path: Path) -> None:
    environment = {"SQD_HOME": str(tmp_path)}
    assert find_redis(read_settings(environment)) is None
    (tmp_path / "endpoint").write_text('{"redis_url": "redis://box:1"}')
    assert find_redis(read_settings(environment)) == "redis://box:1"
    assert find_redis(read_settings(environment, redis_url="redis://other:2")) == "redis://other:2"


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '"text"'])
def test_endpoint_that_is_none_is_no_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "endpoint").write_text(text)
    assert find_redis(read_settings({"SQD_HOME": str(tmp_path)})) is None


def test_empty_variables_are_none() -> None:
    empty = dict.fromkeys(("SQD_RUN", "SQD_WEIGHTS", "SQD_SAMPLES", "SQD_STRICT", "SQD_TAGS"), "")
    found = read_settings(empty)
    assert (found.weights, found.samples, found.strict, found.tags) == ("auto", 2000, False, ())
    assert found.run
    with pytest.raises(BadNameError, match="run"):
        read_settings({}, run="")
