"""Every failure is one clear line and the right exit code."""

import contextlib
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from monitor.cli.server import listen
from monitor.config import load_settings
from monitor.errors import MonitorError
from monitor.store.connection import Store
from monitor.store.embedded import EmbeddedRedis
from tests.cli.conftest import Result, Sqd
from tests.store.posting import Trainer

COMMANDS = (
    "up", "demo", "worker", "server", "sync", "runs", "export", "rewind", "replay", "doctor",
)  # fmt: skip
ALERTS_COMMANDS = ("alerts test", "alerts list")
REFERENCE_COMMANDS = tuple(
    f"reference {name}"
    for name in ("build", "list", "show", "delete", "export", "import", "train-embedder")
)
#: Commands that need a Redis which they do not start.
NEEDING_REDIS = (
    ("runs",), ("export", "demo"), ("rewind", "demo"), ("worker",), ("server", "--port", "0"),
)  # fmt: skip


def one_line(result: Result, code: int) -> str:
    """The error, which must be one line and no traceback."""
    assert result.code == code, result
    assert "Traceback" not in result.out + result.err
    (line,) = result.err.splitlines()
    assert line.startswith("sqd")
    return line


def test_commands_begin_without_what_only_some_of_them_need() -> None:
    # A worker's machine has no server installed, nor a server's torch.
    look = "import sys, monitor.cli; print(*sys.modules)"
    seen = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert not {"fastapi", "starlette", "torch", "plotly"} & {*seen.stdout.split()}


@pytest.mark.parametrize(
    "command", [*COMMANDS, "reference", *REFERENCE_COMMANDS, "alerts", *ALERTS_COMMANDS]
)
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_every_command_has_help(sqd: Sqd, command: str, flag: str) -> None:
    result = sqd(*command.split(), flag)
    assert (result.code, result.err) == (0, "")
    assert f"Usage: sqd {command}" in result.out


def test_help_lists_every_command(sqd: Sqd) -> None:
    result = sqd("--help")
    assert result.code == 0
    for command in (*COMMANDS, "reference", "alerts"):
        assert f"\n│ {command} " in result.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("nonsense", "No such command 'nonsense'"),
        ("up --nonsense", "No such option: --nonsense"),
        ("export", "Missing argument 'RUN'"),
        ("rewind", "Missing argument 'RUN'"),
        ("export demo --format xml", "'xml'"),
        ("worker --lane slow", "'slow'"),
        ("up --port x", "valid integer"),
        ("up --port 65536", "--port is not usable: input should be less than or equal to 65535"),
        ("server --port -1", "--port is not usable"),
        ("worker --device banana", "--device is not usable: expected auto, cpu or cuda:N"),
        ("worker --max-batch-bytes -1", "--max-batch-bytes is not usable: input should be greater"),
        ("worker --quality best", "--quality is not usable: expected faces, onnx:PATH, python:"),
        ("demo --headless", "--headless needs --iterations"),
        ("demo --iterations 0", "--iterations"),
        ("reference build --name x", "Missing option '--images'"),
        ("replay", "Missing argument 'FILE.jsonl'"),
    ],
)
def test_bad_usage_is_code_2_and_points_to_help(sqd: Sqd, arguments: str, said: str) -> None:
    line = one_line(sqd(*arguments.split()), 2)
    assert said in line
    assert "--help`)" in line


def test_no_command_shows_help_and_is_bad_usage(sqd: Sqd) -> None:
    result = sqd()
    assert result.code == 2
    assert "Usage: sqd" in result.out + result.err


@pytest.mark.parametrize("arguments", NEEDING_REDIS, ids=" ".join)
def test_unknown_redis_says_what_to_do(sqd: Sqd, arguments: tuple[str, ...]) -> None:
    line = one_line(sqd(*arguments), 1)
    assert "no Redis is known: start `sqd up`, or give --redis-url or SQD_REDIS_URL" in line


@pytest.mark.parametrize("arguments", [*NEEDING_REDIS, ("up", "--port", "0")], ids=" ".join)
def test_redis_that_is_away_is_named_without_its_password(
    sqd: Sqd, arguments: tuple[str, ...]
) -> None:
    line = one_line(sqd(*arguments, "--redis-url", "redis://:secret@127.0.0.1:9/0"), 1)
    assert "Redis at redis://127.0.0.1:9/0 cannot be reached" in line
    assert "secret" not in line


def test_redis_of_a_product_that_was_killed_is_named(sqd: Sqd, tmp_path: Path) -> None:
    (tmp_path / "endpoint").write_text('{"redis_url": "redis://:secret@127.0.0.1:9/0"}')
    line = one_line(sqd("runs", "--home", str(tmp_path)), 1)
    assert "Redis at redis://127.0.0.1:9/0 cannot be reached" in line


@pytest.mark.parametrize("command", ["up", "server", "demo"])
def test_taken_port_is_named(sqd: Sqd, store: Store, embedded: EmbeddedRedis, command: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        arguments = [command, "--port", str(port), "--redis-url", embedded.redis_url]
        line = one_line(sqd(*arguments), 1)
    assert f"port {port} on 127.0.0.1 cannot be used (Address already in use)" in line
    assert "--port" in line


def test_port_is_taken_from_the_first_moment() -> None:
    with contextlib.closing(listen(load_settings(port=0))) as listener:
        port = listener.getsockname()[1]
        # Though nobody answers there yet.
        with pytest.raises(MonitorError, match=f"port {port} on 127.0.0.1 cannot be used"):
            listen(load_settings(port=port))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "127.example.org"])
def test_open_address_needs_a_token(sqd: Sqd, host: str) -> None:
    line = one_line(sqd("up", "--host", host, "--port", "0"), 1)
    assert f"host {host} can be reached from other machines: give --token (SQD_TOKEN)" in line


def test_read_token_alone_would_let_everybody_write(sqd: Sqd) -> None:
    line = one_line(sqd("up", "--read-token", "t", "--port", "0"), 1)
    assert "--read-token (SQD_READ_TOKEN) needs --token" in line


def test_host_that_is_none(sqd: Sqd) -> None:
    line = one_line(sqd("up", "--host", "no.such.host.invalid", "--token", "t"), 1)
    assert "no.such.host.invalid cannot be used" in line


@pytest.mark.parametrize("home", ["/proc/nowhere", "/dev/null"])
def test_home_that_cannot_be_written(sqd: Sqd, home: str) -> None:
    line = one_line(sqd("up", "--port", "0", "--home", home), 1)
    assert f"{home} cannot be written" in line
    assert "choose --home" in line


def test_second_product_on_a_home(sqd: Sqd, tmp_path: Path) -> None:
    first = EmbeddedRedis(tmp_path)
    try:
        line = one_line(sqd("up", "--port", "0", "--home", str(tmp_path)), 1)
        assert f"another `sqd up` or `sqd demo` (process {os.getpid()}) is running" in line
    finally:
        first.close()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--device", "cuda:77"], "device is 'cuda:77', but torch sees"),
        (["--reference", "nobody"], "no reference set at"),
        (["--embedder", "nobody"], "unknown embedder 'nobody'"),
        (["--embedder", "/no/where.onnx"], "no embedder file at /no/where.onnx"),
    ],
    ids=str,
)
def test_worker_refuses_what_it_cannot_evaluate_with(
    sqd: Sqd, store: Store, embedded: EmbeddedRedis, arguments: list[str], said: str
) -> None:
    result = sqd("worker", "--lane", "samples", "--redis-url", embedded.redis_url, *arguments)
    assert said in one_line(result, 1)


@pytest.mark.parametrize("arguments", [["--help"], ["doctor"], ["replay", "none.jsonl"]])
def test_output_that_cannot_be_written(tmp_path: Path, arguments: list[str]) -> None:
    (tmp_path / "none.jsonl").touch()
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "monitor.cli", *arguments],
            stdout=full, stderr=subprocess.PIPE, text=True, cwd=tmp_path, check=False,
        )  # fmt: skip
    assert (ended.returncode, ended.stderr) == (1, "sqd: No space left on device\n")


def test_reader_who_has_seen_enough_is_told_nothing() -> None:
    command = f"{sys.executable} -m monitor.cli --help; echo $? >&2"
    pipe = ["bash", "-c", f"({command}) | true"]
    ended = subprocess.run(pipe, stderr=subprocess.PIPE, text=True, check=False)
    assert ended.stderr == "1\n"


def test_unknown_run(sqd: Sqd, store: Store, embedded: EmbeddedRedis) -> None:
    result = sqd("export", "nobody", "--redis-url", embedded.redis_url)
    assert one_line(result, 1) == "sqd: no run is called 'nobody'"


def test_export_that_cannot_be_written(sqd: Sqd, store: Store, embedded: EmbeddedRedis) -> None:
    Trainer(store)
    result = sqd("export", "demo", "--redis-url", embedded.redis_url, "-o", "/proc/x/y.csv")
    assert "/proc/x/y.csv cannot be written: No such file or directory" in one_line(result, 1)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "line 2: not JSON"),
        ("[]", "line 2: a JSON object is needed, not a list"),
        ('{"step": "x", "values": {}}', 'line 2: "step" must be a whole number'),
        ('{"step": 1, "values": {"Q": "high"}}', "line 2: values['Q'] must be a number or null"),
    ],
)
def test_replay_names_the_line_that_is_bad(sqd: Sqd, tmp_path: Path, line: str, said: str) -> None:
    recorded = tmp_path / "points.jsonl"
    recorded.write_text('{"step": 0, "values": {"Q": 0.5}}\n' + line + "\n")
    assert said in one_line(sqd("replay", str(recorded)), 1)


def test_replay_of_a_missing_file(sqd: Sqd) -> None:
    assert "/no/where.jsonl cannot be read" in one_line(sqd("replay", "/no/where.jsonl"), 1)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--name", "x", "--images", "/no/where"], "/no/where is no folder"),
        (["--name", "../x", "--images", "."], "'../x' cannot name a set"),
    ],
)
def test_reference_that_cannot_be_built(sqd: Sqd, arguments: list[str], said: str) -> None:
    assert said in one_line(sqd("reference", "build", *arguments), 1)


def test_closed_pipe_is_no_traceback(store: Store, embedded: EmbeddedRedis, tmp_path: Path) -> None:
    trainer = Trainer(store)
    from monitor.store.blocks import Cell
    from monitor.store.jobs import JobQueue
    from tests.store.posting import finish

    queue = JobQueue(store, "worker")
    queue.ensure_groups()
    rows = range(4000)
    finish(queue, trainer, rows, rows, {"loss": [Cell(row, 0.1) for row in rows]})
    export = subprocess.Popen(
        [sys.executable, "-m", "monitor.cli", "export", "demo"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "SQD_REDIS_URL": embedded.redis_url},
    )
    assert export.stdout is not None
    assert export.stderr is not None
    with export, export.stderr as err:
        export.stdout.readline()
        export.stdout.close()
        assert err.read() == b""
        assert export.wait() == 1
