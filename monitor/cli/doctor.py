"""Check this machine: Python packages, devices, Redis, models; say what to do about each."""

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version

from rich.console import Console
from rich.table import Table

from monitor.cli.options import AsJson, Home, RedisUrl
from monitor.config import Settings, load_settings
from monitor.errors import MonitorError
from monitor.store.connection import open_store
from monitor.store.embedded import redis_server
from monitor.store.workers import alive_workers

NAME = "doctor"
#: The one command that repairs onnxruntime on a GPU: insightface pulls the CPU package in, which
#: overwrites files of the GPU package.
GPU_REPAIR = (
    "pip uninstall -y onnxruntime onnxruntime-gpu && "
    "pip install --no-deps --force-reinstall onnxruntime-gpu"
)


@dataclass(frozen=True)
class Finding:
    """One thing looked at: `ok`, `note` (works, could be better) or `bad`."""

    what: str
    state: str
    said: str


def run(redis_url: RedisUrl = None, home: Home = None, json_: AsJson = False) -> None:
    settings = load_settings(redis_url=redis_url, home=home)
    checks: list[Callable[[Settings], Finding]] = [
        _packages,
        _torch,
        _onnxruntime,
        _redis_server,
        _redis,
        _disk,
    ]
    findings = [check(settings) for check in checks]
    if json_:
        print(json.dumps([asdict(finding) for finding in findings]))
    else:
        table = Table("", "what", "found", box=None)
        for finding in findings:
            table.add_row(finding.state, finding.what, finding.said)
        Console().print(table)
    if any(finding.state == "bad" for finding in findings):
        raise MonitorError("something above needs attention")


def _packages(_: Settings) -> Finding:
    names = ("numpy", "redis", "safetensors", "facenet-pytorch", "insightface", "fastapi", "plotly")
    found, missing = [], []
    for name in names:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            missing.append(name)
    if missing:
        said = f"missing: {', '.join(missing)}; pip install 'sqd-monitor[all]'"
        return Finding("packages", "bad", said)
    return Finding("packages", "ok", ", ".join(found))


def _torch(_: Settings) -> Finding:
    try:
        import torch
    except ImportError:
        return Finding("torch", "bad", "missing: pip install 'sqd-monitor[worker]'")
    if torch.cuda.is_available():
        said = f"torch {torch.__version__}, {torch.cuda.get_device_name(0)}"
        return Finding("torch", "ok", said)
    return Finding("torch", "note", f"torch {torch.__version__}, no GPU: Q and D run on the CPU")


def _onnxruntime(_: Settings) -> Finding:
    installed = [name for name in ("onnxruntime", "onnxruntime-gpu") if _is_installed(name)]
    if len(installed) == 2:
        return Finding(
            "onnxruntime", "bad", f"both packages overwrite each other; run: {GPU_REPAIR}"
        )
    try:
        import onnxruntime
        import torch
    except ImportError as error:
        return Finding("onnxruntime", "bad", f"cannot be imported: {error}")
    providers = onnxruntime.get_available_providers()
    if torch.cuda.is_available() and "CUDAExecutionProvider" not in providers:
        return Finding("onnxruntime", "bad", f"a GPU, but no CUDA provider; run: {GPU_REPAIR}")
    return Finding("onnxruntime", "ok", f"{installed[0]}: {', '.join(providers)}")


def _redis_server(_: Settings) -> Finding:
    try:
        return Finding("embedded Redis", "ok", redis_server())
    except MonitorError as error:
        return Finding("embedded Redis", "note", str(error))


def _redis(settings: Settings) -> Finding:
    try:
        store = open_store(*settings.found_redis())
        store.ping()
    except MonitorError as error:
        return Finding("Redis", "note", str(error))
    workers = [f"{worker['id']} on {worker.get('device')}" for worker in alive_workers(store)]
    return Finding("Redis", "ok", f"reachable; workers: {', '.join(workers) or 'none'}")


def _disk(settings: Settings) -> Finding:
    existing = settings.home
    while not existing.exists():
        existing = existing.parent
    free_gb = shutil.disk_usage(existing).free / 1e9
    state = "ok" if free_gb > 1 else "bad"
    return Finding("disk", state, f"{free_gb:.0f} GB free for {settings.home}")


def _is_installed(name: str) -> bool:
    try:
        version(name)
    except PackageNotFoundError:
        return False
    return True
