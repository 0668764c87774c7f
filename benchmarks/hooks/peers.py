"""What the author of a training would otherwise run, each as its own manual says."""

import importlib
import os
import time
from pathlib import Path
from typing import Any

from benchmarks.hooks.training import Training
from benchmarks.hooks.variant import CALLS_ALONE, Values, Variant, numbers

#: Environment that keeps the peers quiet and off the network, and lets MLflow use plain files.
QUIET_PEERS = {
    "MLFLOW_ALLOW_FILE_STORE": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "WANDB_SILENT": "true",
    "WANDB_ERROR_REPORTING": "false",
}


class TensorBoardScalars(Variant):
    """`SummaryWriter.add_scalar` of each loss."""

    calls_alone = CALLS_ALONE

    def __init__(self, training: Training, folder: Path) -> None:
        super().__init__(training, folder)
        self._writer = _import("torch.utils.tensorboard").SummaryWriter(str(folder))

    def call(self, step: int, values: Values) -> None:
        for name, value in numbers(values).items():
            self._writer.add_scalar(name, value, step)

    def finish(self) -> None:
        self._writer.close()


class TensorBoardHistograms(TensorBoardScalars):
    """... and `add_histogram` of every parameter of both networks."""

    calls_alone = 0

    def call(self, step: int, values: Values) -> None:
        super().call(step, values)
        for network, module in (("G", self.training.netG), ("D", self.training.netD)):
            for name, parameter in module.named_parameters():
                self._writer.add_histogram(f"{network}/{name}", parameter, step)


class WandbLog(Variant):
    """`run.log` of the losses, offline; without the system's own metrics, which cost extra."""

    calls_alone = CALLS_ALONE

    def __init__(self, training: Training, folder: Path) -> None:
        super().__init__(training, folder)
        self._wandb = _import("wandb")
        settings = self._wandb.Settings(silent=True, console="off", x_disable_stats=True)
        self._run: Any = self._wandb.init(
            mode="offline", project="bench", dir=folder, reinit="create_new", settings=settings
        )

    def call(self, step: int, values: Values) -> None:
        self._run.log(numbers(values), step=step)

    def finish(self) -> None:
        self._run.finish()


class WandbWatch(WandbLog):
    """... with `run.watch(log="parameters", log_freq=1)`: it works inside every forward pass."""

    calls_alone = 0

    def enter(self) -> None:
        self._wandb.run = self._run  # It writes to the process's one global run.
        networks = [self.training.netG, self.training.netD]
        self._run.watch(networks, log="parameters", log_freq=1)

    def leave(self) -> None:
        self._run.unwatch([self.training.netG, self.training.netD])


class TrackioLog(Variant):
    """`trackio.log` of the losses, into its local store; without the system's own metrics."""

    calls_alone = CALLS_ALONE

    def __init__(self, training: Training, folder: Path) -> None:
        super().__init__(training, folder)
        # It writes where the environment said when it was first imported.
        self.folder = Path(os.environ["TRACKIO_DIR"])
        self._run = _import("trackio").init("bench", auto_log_cpu=False, auto_log_gpu=False)

    def call(self, step: int, values: Values) -> None:
        self._run.log(numbers(values), step=step)

    def finish(self) -> None:
        self._run.finish()


class MlflowLog(Variant):
    """`log_metrics` of the losses, into a local store.

    Args:
        store: its URI; ``{folder}`` is filled in.
    """

    calls_alone = CALLS_ALONE

    def __init__(self, training: Training, folder: Path, *, store: str) -> None:
        super().__init__(training, folder)
        mlflow = _import("mlflow")
        self._metric = mlflow.entities.Metric
        self._client = mlflow.MlflowClient(store.format(folder=folder))
        experiment = self._client.create_experiment("bench")
        self._run = self._client.create_run(experiment).info.run_id

    def call(self, step: int, values: Values) -> None:
        now_ms = int(time.time() * 1e3)
        metrics = [
            self._metric(name, value, now_ms, step) for name, value in numbers(values).items()
        ]
        self._client.log_batch(self._run, metrics)

    def finish(self) -> None:
        self._client.set_terminated(self._run)


def _import(name: str) -> Any:
    return importlib.import_module(name)
