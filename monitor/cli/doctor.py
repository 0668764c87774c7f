"""Check this machine: Python packages, devices, Redis, models; say what to do about each."""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version

from rich.console import Console
from rich.table import Table
from rich.text import Text

from monitor.cli.options import REDIS, AsJson, takes_settings
from monitor.cli.sync import bytes_in
from monitor.config import Settings
from monitor.errors import MonitorError
from monitor.store.connection import masked, open_store
from monitor.store.embedded import redis_server
from monitor.store.workers import alive_workers

NAME = "doctor"
PACKAGES = ("numpy", "redis", "safetensors", "facenet-pytorch", "insightface", "fastapi", "plotly")
#: The one command that repairs onnxruntime on a GPU: insightface pulls the CPU package in, which
#: overwrites files of the GPU package.
GPU_REPAIR = (
    "pip uninstall -y onnxruntime onnxruntime-gpu && "
    "pip install --no-deps --force-reinstall onnxruntime-gpu"
)
#: Room that a few long runs need, bytes.
LEAST_FREE_BYTES = 10**9


@dataclass(frozen=True)
class Finding:
    """One thing looked at: `ok`, `note` (works, could be better) or `bad`."""

    what: str
    state: str
    said: str


@takes_settings(*REDIS)
def run(settings: Settings, json_: AsJson = False) -> None:
    findings = [check(settings) for check in CHECKS]
    if json_:
        print(json.dumps([asdict(finding) for finding in findings]))
    else:
        table = Table("", "what", "found", box=None)
        for finding in findings:
            table.add_row(finding.state, finding.what, Text(finding.said))
        Console().print(table)
    bad = [finding.what for finding in findings if finding.state == "bad"]
    if bad:
        raise MonitorError(f"these need attention: {', '.join(bad)}")


def _packages(_: Settings) -> Finding:
    found = {name: _version(name) for name in PACKAGES}
    missing = [name for name, number in found.items() if not number]
    if missing:
        said = f"missing: {', '.join(missing)}; pip install 'sqd-monitor[all]'"
        return Finding("packages", "bad", said)
    return Finding("packages", "ok", ", ".join(f"{name} {found[name]}" for name in found))


def _torch(_: Settings) -> Finding:
    try:
        import torch
    except ImportError as error:
        said = f"cannot be imported ({error}): pip install 'sqd-monitor[worker]'"
        return Finding("torch", "bad", said)
    if torch.cuda.is_available():
        said = f"torch {torch.__version__}, {torch.cuda.get_device_name(0)}"
        return Finding("torch", "ok", said)
    return Finding("torch", "note", f"torch {torch.__version__}, no GPU: Q and D run on the CPU")


def _onnxruntime(_: Settings) -> Finding:
    installed = [name for name in ("onnxruntime", "onnxruntime-gpu") if _version(name)]
    if len(installed) == 2:
        said = f"both packages overwrite each other; run: {GPU_REPAIR}"
        return Finding("onnxruntime", "bad", said)
    try:
        import torch  # isort: skip  # First: it brings the CUDA libraries.
        import onnxruntime
    except ImportError as error:
        return Finding("onnxruntime", "bad", f"cannot be imported: {error}")
    providers = onnxruntime.get_available_providers()
    if torch.cuda.is_available() and "CUDAExecutionProvider" not in providers:
        return Finding("onnxruntime", "bad", f"a GPU, but no CUDA provider; run: {GPU_REPAIR}")
    if torch.cuda.is_available() and not _loads_on_gpu():
        return Finding(
            "onnxruntime", "bad", f"its CUDA provider cannot be loaded; run: {GPU_REPAIR}"
        )
    said = f"{', '.join(installed)} {onnxruntime.__version__}: {', '.join(providers)}"
    return Finding("onnxruntime", "ok", said.strip())


def _loads_on_gpu() -> bool:
    """Whether a session really gets the GPU: the provider's name alone says what was compiled."""
    from monitor.diversity.embedder import load_embedder
    from monitor.diversity.session import CUDA

    try:
        return load_embedder("faces100", "cuda:0").provider == CUDA
    except MonitorError:
        return False


def _redis_server(_: Settings) -> Finding:
    try:
        return Finding("embedded Redis", "ok", redis_server())
    except MonitorError as error:
        return Finding("embedded Redis", "note", str(error))


def _redis(settings: Settings) -> Finding:
    try:
        store = open_store(*settings.found_redis())
        store.ping()
        workers = [f"{w['id']} on {w.get('device') or 'CPU'}" for w in alive_workers(store)]
    except MonitorError as error:
        return Finding("Redis", "note", str(error))
    said = f"{masked(store.redis_url)}; workers: {', '.join(workers) or 'none'}"
    return Finding("Redis", "ok", said)


def _home(settings: Settings) -> Finding:
    existing = settings.home
    while not existing.exists():
        existing = existing.parent
    if not os.access(existing, os.W_OK | os.X_OK):
        return Finding("home", "bad", f"{settings.home} cannot be written; choose --home")
    free_bytes = shutil.disk_usage(existing).free
    state = "ok" if free_bytes >= LEAST_FREE_BYTES else "bad"
    return Finding("home", state, f"{settings.home}, {free_bytes / 1e9:.0f} GB free")


def _spool(settings: Settings) -> Finding:
    left = [about.parent for about in settings.home.glob("spool/*/about.json")]
    if not left:
        return Finding("spool", "ok", "nothing waits to be sent")
    size = sum(map(bytes_in, left))
    said = f"{len(left)} trainers have {size / 1e6:.1f} MB on disk; `sqd sync` sends what was left"
    return Finding("spool", "note", said)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


CHECKS: tuple[Callable[[Settings], Finding], ...] = (
    _packages,
    _torch,
    _onnxruntime,
    _redis_server,
    _redis,
    _home,
    _spool,
)
