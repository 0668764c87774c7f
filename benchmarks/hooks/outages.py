"""What each logger does to a trainer when its server is away, killed or frozen."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from benchmarks.hooks import servers
from benchmarks.hooks.figures import quantiles_us
from benchmarks.hooks.logging_child import TOOLS
from monitor.process import start_child

#: Wait between looks at a child, seconds; its end is known this exactly.
POLL_S = 0.02
#: Characters of a child's log that are kept when it fails.
SAID = 200

How = Literal["absent", "silent", "killed", "frozen", "removed"]
#: The server is like this before the trainer starts.
FROM_THE_START: tuple[How, ...] = ("absent", "silent")


@dataclass(frozen=True, slots=True)
class Scenario:
    """One row: a logger and what is done to its server."""

    name: str
    tool: str
    package: str
    how: How
    server: Callable[[Path], servers.Server]


MLFLOW = partial(
    servers.Command,
    arguments=(
        *("-m", "mlflow", "server", "--host", "127.0.0.1", "--port", "{port}", "--workers", "1"),
        *("--backend-store-uri", "sqlite:///{folder}/mlflow.db"),
        *("--artifacts-destination", "{folder}/artifacts"),
    ),
)
TRACKIO = partial(
    servers.Command,
    arguments=(
        "-c",
        "import trackio; trackio.show(open_browser=False, block_thread=True, host='127.0.0.1', "
        "server_port={port})",
    ),
    query=f"?write_token={servers.TOKEN}",
)
AIM = partial(
    servers.Command,
    arguments=(
        "-c",
        "from aim import Repo; Repo.from_path('{folder}', init=True); "
        "from aim.cli.cli import cli_entry_point as aim; "
        "aim(['server', '--host', '127.0.0.1', '--port', '{port}', '--repo', '{folder}'])",
    ),
    scheme="aim",
)
TROUBLED: tuple[How, ...] = ("killed", "frozen")
SCENARIOS = (
    *(Scenario("sqd scalars", "sqd_scalars", "redis", how, servers.Redis) for how in TROUBLED),
    *(Scenario("sqd sketch", "sqd_sketch", "redis", how, servers.Redis) for how in TROUBLED),
    Scenario(
        "sqd sketch", "sqd_sketch", "redis", "absent", partial(servers.Server, scheme="redis")
    ),
    Scenario(
        "sqd sketch", "sqd_sketch", "redis", "silent", partial(servers.Silent, scheme="redis")
    ),
    Scenario("TensorBoard, its folder", "tensorboard", "tensorboard", "removed", servers.Folder),
    *(
        Scenario("wandb offline, its service", "wandb_offline", "wandb", how, servers.Service)
        for how in TROUBLED
    ),
    Scenario("wandb online", "wandb_online", "wandb", "absent", servers.Server),
    Scenario("wandb online", "wandb_online", "wandb", "silent", servers.Silent),
    *(Scenario("trackio server", "trackio", "trackio", how, TRACKIO) for how in TROUBLED),
    Scenario("trackio server", "trackio", "trackio", "absent", servers.Server),
    *(Scenario("MLflow server", "mlflow", "mlflow", how, MLFLOW) for how in TROUBLED),
    Scenario("MLflow server", "mlflow", "mlflow", "absent", servers.Server),
    *(Scenario("Aim server", "aim", "aim", how, AIM) for how in TROUBLED),
)
assert {scenario.tool for scenario in SCENARIOS} == set(TOOLS)


def suffer(scenario: Scenario, folder: Path, calls: int, limit_s: float) -> dict[str, Any]:
    """The row of one scenario.

    Args:
        scenario: which.
        folder: an empty one.
        calls: calls during the outage, and as many before it.
        limit_s: of the whole outage, and of what comes before it; then the child is killed.
    """
    row: dict[str, Any] = {"name": scenario.name, "how": scenario.how}
    if find_spec(scenario.package) is None:
        return {**row, "missing": "not installed"}
    folder.mkdir(parents=True)
    try:
        with closing(scenario.server(folder)) as server:
            return {**row, **_watch(scenario, server, folder, calls, limit_s)}
    except servers.ServerError as error:
        return {**row, "missing": str(error)}


def _watch(
    scenario: Scenario, server: servers.Server, folder: Path, calls: int, limit_s: float
) -> dict[str, Any]:
    from_the_start = scenario.how in FROM_THE_START
    healthy = 0 if from_the_start else calls
    module = "benchmarks.hooks.logging_child"
    command = [sys.executable, "-m", module, scenario.tool, server.address, str(folder)]
    with (folder / "trainer.log").open("wb") as log:
        child = start_child([*command, str(healthy), str(calls)], output=log)
    record = folder / "record.jsonl"
    try:
        if not from_the_start:
            _wait(child, lambda: "ready" in _events(record), limit_s)
            if "ready" not in _events(record):
                return {"missing": f"never got ready: {_last_words(folder)}"}
            (server.freeze if scenario.how == "frozen" else server.kill)(child.pid)
        broken_s = time.monotonic()
        (folder / "go").touch()
        _wait(child, lambda: False, limit_s)
        return _row(_lines(record), child.poll(), broken_s, _last_words(folder))
    finally:
        _end(child)


def _row(
    lines: list[dict[str, Any]], code: int | None, broken_s: float, words: str
) -> dict[str, Any]:
    """What the record says; `code` is None where the process was still alive at the limit."""
    now_s = time.monotonic()
    spent: dict[str, float] = {line["event"]: line["at_s"] for line in lines}
    before = [line for line in lines if line["event"] == "call" and line["at_s"] < broken_s]
    during = [line for line in lines if line["event"] == "call" and line["at_s"] >= broken_s]
    stuck_s = None if "leaving" in spent or code is not None else now_s - lines[-1]["at_s"]
    raised = [line["raised"] for line in during if line["raised"]]
    return {
        "init_s": spent["initialised"] - spent["begun"] if "initialised" in spent else None,
        "healthy": quantiles_us([line["seconds"] for line in before]) if before else None,
        "call": quantiles_us([line["seconds"] for line in during]) if during else None,
        "calls": len(during),
        "stuck_s": stuck_s,
        "raised": len(raised),
        "first_raised": raised[0] if raised else "",
        "ended": code is not None,
        "exit_code": code,
        "exit_s": now_s - spent["leaving"] if "leaving" in spent else None,
        "last_words": words,
    }


def _wait(child: "subprocess.Popen[bytes]", done: Callable[[], bool], limit_s: float) -> None:
    give_up_s = time.monotonic() + limit_s
    while child.poll() is None and not done() and time.monotonic() < give_up_s:
        time.sleep(POLL_S)


def _lines(record: Path) -> list[dict[str, Any]]:
    if not record.exists():
        return []
    # The last line may be only half there yet.
    whole = [line for line in record.read_text().splitlines(keepends=True) if line.endswith("\n")]
    return [json.loads(line) for line in whole]


def _events(record: Path) -> set[str]:
    return {line["event"] for line in _lines(record)}


def _last_words(folder: Path) -> str:
    words = (folder / "trainer.log").read_text(errors="replace").strip().splitlines()
    return words[-1][:SAID] if words else ""


def _end(child: "subprocess.Popen[bytes]") -> None:
    """Kill the child's whole session: loggers leave processes behind, some of them frozen."""
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
