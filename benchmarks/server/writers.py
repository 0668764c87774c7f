"""Writes the points by a peer's own interface, in its cheapest form; runs in the peers' Python.

    python -m benchmarks.server.writers tensorboard|mlflow|aim POINTS.npz FOLDER

Prints the id of the run that it made.
"""

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.server.points import METRICS, Points

#: MLflow takes no more metrics in one batch.
MLFLOW_BATCH = 1000
#: Events that wait for TensorBoard's writing thread.
TENSORBOARD_QUEUE = 10_000
#: The one run, where the name is ours to choose.
RUN = "long"


def write_tensorboard(points: Points, folder: Path) -> str:
    """Event files, as `SummaryWriter.add_scalars` writes them: a summary of all metrics a step."""
    proto = "tensorboard.compat.proto"
    event_pb2, summary_pb2 = (_import(f"{proto}.{name}_pb2") for name in ("event", "summary"))
    module = _import("tensorboard.summary.writer.event_file_writer")
    writer = module.EventFileWriter(str(folder / RUN), max_queue_size=TENSORBOARD_QUEUE)
    for step, row in enumerate(points.values.T.tolist()):
        values = [
            summary_pb2.Summary.Value(tag=tag, simple_value=value)
            for tag, value in zip(METRICS, row, strict=True)
        ]
        summary = summary_pb2.Summary(value=values)
        writer.add_event(
            event_pb2.Event(wall_time=points.start_s + step, step=step, summary=summary)
        )
    writer.close()
    return RUN


def write_mlflow(points: Points, folder: Path) -> str:
    """`MlflowClient.log_batch` into the SQLite file that the server opens."""
    mlflow = _import("mlflow")
    client = mlflow.MlflowClient(f"sqlite:///{folder}/mlflow.db")
    run = client.create_run(client.create_experiment("bench")).info.run_id
    steps = MLFLOW_BATCH // len(METRICS)
    for begin in range(0, points.steps, steps):
        rows = enumerate(points.values[:, begin : begin + steps].T.tolist(), start=begin)
        client.log_batch(
            run,
            [
                mlflow.entities.Metric(name, value, int((points.start_s + step) * 1e3), step)
                for step, row in rows
                for name, value in zip(METRICS, row, strict=True)
            ],
        )
    client.set_terminated(run)
    return str(run)


def write_aim(points: Points, folder: Path) -> str:
    """`Run.track` of all metrics a step, without the system's own metrics."""
    aim = _import("aim")
    repo = aim.Repo.from_path(str(folder), init=True)
    run = aim.Run(
        repo=repo,
        system_tracking_interval=None,
        capture_terminal_logs=False,
        log_system_params=False,
    )
    for step, row in enumerate(points.values.T.tolist()):
        run.track(dict(zip(METRICS, row, strict=True)), step=step)
    run.close()
    return str(run.hash)


WRITERS: dict[str, Callable[[Points, Path], str]] = {
    "tensorboard": write_tensorboard,
    "mlflow": write_mlflow,
    "aim": write_aim,
}


def save(points: Points, path: Path) -> None:
    """Keep points for `main`."""
    np.savez(path, values=points.values, spikes=points.spikes, start_s=points.start_s)


def main() -> None:
    """Write."""
    peer, path, folder = sys.argv[1:]
    kept = np.load(path)
    points = Points(kept["values"], tuple(kept["spikes"].tolist()), float(kept["start_s"]))
    print(WRITERS[peer](points, Path(folder)))


def _import(name: str) -> Any:
    return importlib.import_module(name)


if __name__ == "__main__":
    main()
