"""How the demo's training goes, told to whoever sits at the terminal."""

import signal
import subprocess
import threading
import time
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.text import Text

from monitor.cli.product import Product
from monitor.errors import MonitorError, StoreError
from monitor.store.runs import RunRecord, read_run, run_ids

#: How often the progress is looked at on a terminal, and told otherwise, seconds.
LOOK_S, TELL_S = 1.0, 15.0
#: After the training, longest wait for the worker to evaluate what is left, seconds.
DRAIN_S = 300.0
#: What the summary tells of.
SUMMARY = ("S.G", "S.D", "Q", "D", "D.unaligned")


class Progress:
    """Tells how the training goes, and ends the product when it is done (headless).

    Args:
        product: what runs; its newest run that is not there yet is the trainer's.
        headless: whether to end with a summary.
    """

    def __init__(self, product: Product, *, headless: bool) -> None:
        self._product = product
        self._headless = headless
        self._known = set(run_ids(product.store))
        self._console = Console()

    def follow(self, trainer: "subprocess.Popen[bytes]") -> None:
        """Tell from now on, in a thread of its own."""
        threading.Thread(target=self._follow, args=[trainer], name="progress", daemon=True).start()

    def _follow(self, trainer: "subprocess.Popen[bytes]") -> None:
        try:
            self._tell_until_it_ends(trainer)
            if self._product.stopping:
                return
            if trainer.returncode not in (0, -signal.SIGTERM):
                raise MonitorError(f"the trainer ended with exit code {trainer.returncode}")
            if self._headless:
                self._drain()
                self._summarise()
                self._product.stop()
            else:
                print("training finished; the dashboard stays up until Ctrl-C", flush=True)
        except MonitorError as error:
            self._product.stop(str(error))

    def _tell_until_it_ends(self, trainer: "subprocess.Popen[bytes]") -> None:
        told_s = 0.0
        with Live(console=self._console, transient=True, auto_refresh=False) as live:
            while trainer.poll() is None and not self._product.stopping:
                if self._console.is_terminal:
                    live.update(Text(self._line()), refresh=True)
                elif time.monotonic() - told_s >= TELL_S:
                    told_s = time.monotonic()
                    print(self._line(), flush=True)
                time.sleep(LOOK_S)

    def _line(self) -> str:
        try:
            record = self._record()
        except StoreError as error:
            return str(error)
        return _described(record) if record else "starting the trainer …"

    def _record(self) -> RunRecord | None:
        fresh = [run for run in run_ids(self._product.store) if run not in self._known]
        return read_run(self._product.store, fresh[0]) if fresh else None

    def _drain(self) -> None:
        give_up_s = time.monotonic() + DRAIN_S
        while time.monotonic() < give_up_s and not self._product.stopping:
            record = self._record()
            if record is None or all(
                record.done_rows.get(kind, 0) > newest
                for kind, newest in record.pushed_rows.items()
            ):
                return
            time.sleep(LOOK_S)

    def _summarise(self) -> None:
        record = self._record()
        if record is None:
            raise MonitorError("the trainer never registered its run")
        print(f"run {record.id}: {record.status}, {_described(record)}")
        for metric in SUMMARY:
            print(f"  {metric:12} {_value(record.latest.get(metric))}")
        print(f"  dropped      {record.drops or 'nothing'}")
        for problem in record.problems:
            print(f"  {problem['metric']} {problem['status']} {problem['count']}×: "
                  f"{problem['reason']}")  # fmt: skip
        for alert in record.alerts:
            print(f"  alert: {alert['message']}")


def _described(record: RunRecord) -> str:
    step = record.pushed_steps.get("weights", 0)
    last = record.latest.get("loss.D")
    rate = step / max(last["time"] - record.started, 1.0) if last else 0.0
    shown = [f"{metric} {_value(record.latest.get(metric))}" for metric in ("Q", "D", "S.G")]
    return f"step {step:,} · {rate:.1f} it/s · " + " · ".join(shown)


def _value(point: dict[str, Any] | None) -> str:
    if point is None:
        return "–"
    return point["status"] if point["value"] is None else f"{point['value']:.4g}"
