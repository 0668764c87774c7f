"""The container files, checked as far as that goes without a container engine.

The very commands of docker-compose.yml run here as processes: with its environment, its health
checks, and names of services replaced by addresses on this machine.
"""

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitor.process import start_child, stop_children
from monitor.store.embedded import redis_server

ROOT = Path(__file__).parents[2]
SECRETS = {"SQD_REDIS_PASSWORD": "test-password", "SQD_TOKEN": "test-token"}
START_TIMEOUT_S = 60


class ComposeLoader(yaml.SafeLoader):  # type: ignore[misc]
    """YAML with Compose's own `!reset`."""


ComposeLoader.add_constructor("!reset", lambda _loader, _node: None)


def load(name: str) -> Any:
    # A subclass of SafeLoader builds nothing but plain data.
    return yaml.load((ROOT / name).read_text(), ComposeLoader)


def substitute(value: Any, ports: dict[str, int]) -> str:
    """`${NAME}`, `${NAME:-default}` and `${NAME:?message}`, and services by their local ports."""

    def variable(match: re.Match[str]) -> str:
        return SECRETS.get(match[1], match[3] if match[2] == "-" else "")

    text = re.sub(r"\$\{(\w+)(?::([-?])([^}]*))?\}", variable, str(value))
    for service, port in ports.items():
        text = text.replace(f"@{service}:6379", f"@127.0.0.1:{port}")
    return text


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def local(words: list[str]) -> list[str]:
    """A container's command as one of this machine."""
    programs = {
        "redis-server": [redis_server()],
        "python": [sys.executable],
        "sqd": [sys.executable, "-m", "monitor.cli"],
    }
    return [*programs[words[0]], *words[1:]]


class Services:
    """The services of docker-compose.yml as processes."""

    def __init__(self, folder: Path) -> None:
        self.services: dict[str, Any] = load("docker-compose.yml")["services"]
        self.ports = {name: free_port() for name in ("redis", "frames", "server")}
        self._folder = folder
        self._children: list[subprocess.Popen[bytes]] = []

    def environment(self, name: str) -> dict[str, str]:
        told = {
            key: substitute(value, self.ports)
            for key, value in self.services[name]["environment"].items()
        }
        return {**os.environ, **told, "SQD_HOME": str(self._folder)}

    def start(self, name: str) -> None:
        words = [substitute(word, self.ports) for word in self.services[name]["command"]]
        folder = self._folder / name
        folder.mkdir()
        if words[0] == "redis-server":
            words += ["--port", str(self.ports[name]), "--dir", str(folder)]
        else:
            words = ["sqd", *(str(self.ports["server"]) if w == "8000" else w for w in words)]
        child = start_child(local(words), environment=self.environment(name))
        self._children.append(child)

    def healthy(self, name: str) -> bool:
        test = self.services[name]["healthcheck"]["test"]
        assert test[0] == "CMD"
        words = [word.replace(":8000/", f":{self.ports['server']}/") for word in test[1:]]
        ran = subprocess.run(local(words), env=self.environment(name), capture_output=True)
        return ran.returncode == 0

    def close(self) -> None:
        stop_children(self._children[::-1])


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    running = Services(tmp_path)
    yield running
    running.close()


@pytest.mark.e2e
@pytest.mark.timeout(180)
def test_the_commands_and_health_checks_of_compose_work(services: Services) -> None:
    for name in ("redis", "frames"):
        services.start(name)
    time.sleep(1)
    assert not services.healthy("worker")
    for name in ("worker", "server"):
        services.start(name)
    for name in ("worker", "server"):
        give_up_s = time.monotonic() + START_TIMEOUT_S
        while not services.healthy(name):
            assert time.monotonic() < give_up_s, f"{name} did not become healthy"
            time.sleep(0.5)


def test_nothing_listens_beyond_loopback_and_secrets_are_asked_for() -> None:
    compose = load("docker-compose.yml")
    published = [p for s in compose["services"].values() for p in s.get("ports", [])]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)
    text = (ROOT / "docker-compose.yml").read_text()
    assert "${SQD_REDIS_PASSWORD:?" in text
    assert "${SQD_TOKEN:?" in text


def test_data_is_kept_and_frames_are_not() -> None:
    services = load("docker-compose.yml")["services"]
    durable, volatile = services["redis"], services["frames"]
    assert durable["command"][durable["command"].index("--appendonly") + 1] == "yes"
    assert durable["volumes"] == ["series:/data"]
    assert volatile["command"][volatile["command"].index("--appendonly") + 1] == "no"
    assert "noeviction" in volatile["command"]
    assert all("healthcheck" in service for service in services.values())


def test_the_gpu_is_reserved_and_the_override_takes_it_back() -> None:
    worker = load("docker-compose.yml")["services"]["worker"]
    assert worker["deploy"]["resources"]["reservations"]["devices"][0]["capabilities"] == ["gpu"]
    override = load("docker-compose.cpu.yml")["services"]["worker"]
    assert override["deploy"] is None
    assert override["environment"]["SQD_DEVICE"] == "cpu"


def test_the_image_replaces_onnxruntime_by_the_gpu_package_of_the_same_version() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    pinned = re.search(r"^onnxruntime==(.+)$", (ROOT / "constraints.txt").read_text(), re.M)
    assert pinned
    install = dockerfile.index("'.[worker,server]'")
    uninstall = dockerfile.index("pip uninstall --yes onnxruntime")
    replace = dockerfile.index(f"--no-deps onnxruntime-gpu=={pinned[1]}")
    assert install < uninstall < replace
