"""Watch a real GAN learn real faces: `up`, and a trainer on 100 faces, live in the browser."""

import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.live import Live
from rich.text import Text

from monitor.cli.options import BlobUrl, Device, Home, Host, Port, RedisUrl, Token, Verbose
from monitor.cli.up import Product, running
from monitor.config import load_settings
from monitor.errors import MonitorError
from monitor.logs import configure
from monitor.process import start_child, stop_children
from monitor.store.runs import RunRecord, read_run, run_ids

if TYPE_CHECKING:
    import uvicorn

NAME = "demo"
#: The embedder and the reference set that ship for the demo.
DEMO_SET = "faces100"
#: How often the progress is looked at on a terminal, and told otherwise, seconds.
LOOK_S, TELL_S = 1.0, 15.0
#: After the training, longest wait for the worker to evaluate what is left, seconds.
DRAIN_S = 300.0

Iterations = Annotated[int | None, typer.Option(min=1, help="End after this many iterations.")]
Headless = Annotated[bool, typer.Option("--headless", help="End by itself with a summary.")]


def run(
    iterations: Iterations = None,
    headless: Headless = False,
    seed: Annotated[int, typer.Option(help="Of the training.")] = 0,
    name: Annotated[str, typer.Option("--run", help="Name of the run.")] = "demo",
    redis_url: RedisUrl = None,
    blob_url: BlobUrl = None,
    host: Host = None,
    port: Port = None,
    home: Home = None,
    device: Device = None,
    token: Token = None,
    verbose: Verbose = False,
) -> None:
    configure(verbose=verbose)
    settings = load_settings(
        redis_url=redis_url,
        blob_url=blob_url,
        host=host,
        port=port,
        home=home,
        device=device,
        embedder=DEMO_SET,
        reference=DEMO_SET,
        token=token,
    )
    if headless and iterations is None:
        raise typer.BadParameter("--headless needs --iterations", param_hint="--headless")
    with running(settings, verbose=verbose) as product:
        print(f"dashboard: {product.url}", flush=True)
        print("a GAN learns 100 real faces; stop with Ctrl-C", flush=True)
        known = set(run_ids(product.store))
        trainer = start_child(_command(name, iterations, seed), environment=_hooks(product))
        progress = Progress(product, trainer, known, headless=headless)
        product.children.on_start(progress.watch)
        try:
            product.serve()
        finally:
            stop_children([trainer])
        if progress.failed:
            raise MonitorError(progress.failed)


class Progress:
    """Tells how the demo's training goes, and ends the product when it is done (headless)."""

    def __init__(
        self,
        product: Product,
        trainer: "subprocess.Popen[bytes]",
        known: set[str],
        *,
        headless: bool,
    ) -> None:
        self._product = product
        self._trainer = trainer
        self._known = known
        self._headless = headless
        self._console = Console()
        self._told_s = 0.0
        self.failed = ""

    def watch(self, server: "uvicorn.Server") -> None:
        """Tell from now on, in a thread of its own."""
        threading.Thread(target=self._watch, args=[server], name="progress", daemon=True).start()

    def _watch(self, server: "uvicorn.Server") -> None:
        with Live(console=self._console, transient=True, auto_refresh=False) as live:
            while self._trainer.poll() is None and not server.should_exit:
                self._tell(live)
                time.sleep(LOOK_S)
        if server.should_exit:
            return
        if self._trainer.returncode not in (0, -signal.SIGTERM):
            self.failed = f"the trainer ended with exit code {self._trainer.returncode}"
            server.should_exit = True
        elif self._headless:
            self._drain()
            self._summarise()
            server.should_exit = True
        else:
            self._console.print("training finished; the dashboard stays up until Ctrl-C")

    def _record(self) -> RunRecord | None:
        fresh = [run for run in run_ids(self._product.store) if run not in self._known]
        return read_run(self._product.store, fresh[0]) if fresh else None

    def _tell(self, live: Live) -> None:
        try:
            record = self._record()
        except MonitorError:
            return
        line = _line(record) if record else "starting the trainer …"
        if self._console.is_terminal:
            live.update(Text(line), refresh=True)
        elif time.monotonic() - self._told_s >= TELL_S:
            self._told_s = time.monotonic()
            print(line, flush=True)

    def _drain(self) -> None:
        give_up_s = time.monotonic() + DRAIN_S
        while time.monotonic() < give_up_s:
            record = self._record()
            if record is None or all(
                record.done_rows.get(kind, 0) > newest
                for kind, newest in record.pushed_rows.items()
            ):
                return
            time.sleep(LOOK_S / 2)

    def _summarise(self) -> None:
        record = self._record()
        if record is None:
            self.failed = "the trainer never registered its run"
            return
        print(f"run {record.id}: {record.status}, {_line(record)}")
        for metric in ("S.G", "S.D", "Q", "D", "D.unaligned"):
            print(f"  {metric:12} {_value(record.latest.get(metric))}")
        print(f"  dropped      {record.drops or 'nothing'}")
        for problem in record.problems:
            print(f"  {problem['metric']} {problem['status']} {problem['count']}×: "
                  f"{problem['reason']}")  # fmt: skip
        for alert in record.alerts:
            print(f"  alert: {alert['message']}")


def _line(record: RunRecord) -> str:
    step = record.pushed_steps.get("weights", 0)
    elapsed_s = max(1e-9, (record.finished or record.started + 0.0) - record.started)
    if record.finished is None:
        last = record.latest.get("loss.D", {}).get("time")
        elapsed_s = max(1e-9, (last or record.started) - record.started)
    shown = [f"{metric} {_value(record.latest.get(metric))}" for metric in ("Q", "D", "S.G")]
    return f"step {step} · {step / elapsed_s:.1f} it/s · " + " · ".join(shown)


def _value(point: dict[str, Any] | None) -> str:
    if point is None:
        return "–"
    return point["status"] if point["value"] is None else f"{point['value']:.4g}"


def _command(name: str, iterations: int | None, seed: int) -> list[str]:
    command = [sys.executable, "-m", "monitor.demo", "--run", name, "--seed", str(seed)]
    return command if iterations is None else [*command, "--iterations", str(iterations)]


def _hooks(product: Product) -> dict[str, str]:
    return {"SQD_REDIS_URL": product.redis_url, "OMP_WAIT_POLICY": "PASSIVE"}
