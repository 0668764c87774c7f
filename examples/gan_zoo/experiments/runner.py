"""Trains what is planned, some at a time; killed at any moment, the same call goes on."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from examples.gan_zoo.experiments import recording
from examples.gan_zoo.experiments.plan import Planned, Setting
from examples.gan_zoo.experiments.watching import Product
from monitor.process import start_child, stop_children

#: Between two lines of progress, seconds.
EVERY_S = 60.0
#: Trainings yield to the worker that watches them, and both to whoever sits at the machine.
NICENESS = 5
#: What the hooks are told: snapshots as often as the setting says, whatever they cost.
UNTHINNED = "1"


@dataclass
class Runner:
    """Runs and records the trainings of an experiment.

    Attributes:
        product: watches them.
        data: what they learn, as `--data` takes it.
        setting: of all of them.
        output: folder of checkpoints, logs and recordings.
        metrics: what is computed of samples.
    """

    product: Product
    data: str
    setting: Setting
    output: Path
    metrics: Sequence[str] = ("Q", "D")
    _children: list["subprocess.Popen[bytes]"] = field(default_factory=list)
    _stopping: threading.Event = field(default_factory=threading.Event)

    def run(self, plan: Sequence[Planned], parallel: int) -> list[str]:
        """Train what has no recording yet; the names of those that failed."""
        todo = [training for training in plan if not self.recording(training).exists()]
        for folder in ("logs", "recordings"):
            (self.output / folder).mkdir(parents=True, exist_ok=True)
        with ThreadPoolExecutor(parallel) as pool:
            jobs = {training: pool.submit(self._one, training) for training in todo}
            progress = _Progress(self, todo)
            try:
                while not all(job.done() for job in jobs.values()):
                    time.sleep(1)
                    progress.report()
            except BaseException:
                # Told to stop, trainings save and can be continued.
                self._stopping.set()
                stop_children(self._children)
                raise
        return [training.name(self.data) for training, job in jobs.items() if not job.result()]

    def recording(self, training: Planned) -> Path:
        """Where the points of a training are, or will be."""
        return self.output / "recordings" / (training.name(self.data) + recording.SUFFIX)

    def _one(self, training: Planned) -> bool:
        name = training.name(self.data)
        if self._stopping.is_set():
            return False
        try:
            if code := self._train(training, name):
                raise ChildProcessError(f"ended with {code}; see its log")
            if self._stopping.is_set():
                return False  # It saved how far it got.
            self.product.settle(name)
            recording.write(self.product.export(name), self.recording(training))
        except (OSError, subprocess.CalledProcessError) as error:
            # One training that breaks must not cost the others theirs.
            print(f"{name}: {error}", file=sys.stderr, flush=True)
            return False
        print(f"{name}: recorded", flush=True)
        return True

    def _train(self, training: Planned, name: str) -> int:
        setting = self.setting
        command = [sys.executable, "-m", "examples.gan_zoo.train", "--data", self.data]
        command += [*setting.arguments, *training.arguments, "--seed", str(training.seed)]
        command += ["--iterations", str(setting.iterations), "--samples", str(setting.samples)]
        command += ["--samples-every", str(setting.samples_every), "--run", name]
        checkpoints = self.output / "checkpoints" / name
        if not checkpoints.exists():
            # Killed before its first checkpoint, a training begins anew, and so does its run.
            self.product.delete(name)
        command += ["--checkpoint", str(checkpoints)]
        with (self.output / "logs" / f"{name}.log").open("ab") as log:
            child = start_child(
                ["nice", "-n", str(NICENESS), *command], output=log, environment=self._hooks()
            )
            self._children.append(child)
            return child.wait()

    def _hooks(self) -> dict[str, str]:
        return {
            "SQD_HOME": str(self.product.home),
            "SQD_REDIS_URL": "",
            "SQD_WEIGHTS_EVERY": str(self.setting.weights_every),
            "SQD_MAX_OVERHEAD": UNTHINNED,
            "SQD_METRICS": ",".join(self.metrics),
            "OMP_WAIT_POLICY": "PASSIVE",
            "PYTHONPATH": os.pathsep.join(sys.path),
        }


class _Progress:
    """Says now and then how far all trainings together are, and how long it will take."""

    def __init__(self, runner: Runner, todo: Sequence[Planned]) -> None:
        self._runner = runner
        self._costs = {training.name(runner.data): training.cost for training in todo}
        self._next_s = 0.0
        self._first: tuple[float, float] | None = None

    def report(self) -> None:
        """A line, if one is due."""
        now_s = time.monotonic()
        if now_s < self._next_s:
            return
        self._next_s = now_s + EVERY_S
        iterations = self._runner.setting.iterations
        steps = {run["id"]: run["last_step"] or 0 for run in self._runner.product.runs()}
        done = sum(cost * steps.get(name, 0) for name, cost in self._costs.items())
        total = sum(cost * iterations for cost in self._costs.values())
        first_s, first = self._first = self._first or (now_s, done)
        left = ""
        if done > first:
            left = f", {(total - done) / (done - first) * (now_s - first_s) / 3600:.1f} h left"
        print(f"{done / total:.0%} of {len(self._costs)} trainings{left}", flush=True)
