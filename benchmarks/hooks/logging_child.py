"""A trainer that logs five scalars a call while its server is treated badly; run by `outages`.

    python -m benchmarks.hooks.logging_child TOOL ADDRESS FOLDER HEALTHY CALLS

Writes what happens to FOLDER/record.jsonl, line by line, so that a call that never returns shows
too: `begun`, a `call` for each of HEALTHY calls, `ready`; then, once FOLDER/go exists, a `call` for
each of CALLS, `leaving`. Then the process ends as any script does.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.hooks.alone import SCALARS
from benchmarks.hooks.peers import QUIET_PEERS

#: Wait between calls, seconds: a fast training.
PAUSE_S = 0.01
#: Calls of the outage are logged under steps from here on.
OUTAGE_STEP = 1_000_000
#: Width of the networks pushed as sketches: the paper's.
WIDTH = 64
#: Characters of an exception that are kept.
SAID = 160

Call = Callable[[int], object]


def sqd_scalars(address: str, folder: Path) -> Call:
    from trainer_hooks import start

    run = start("outage", redis_url=address)
    return lambda step: run.push_weights(step, scalars=SCALARS)


def sqd_sketch(address: str, folder: Path) -> Call:
    from benchmarks.hooks.training import discriminator, generator
    from trainer_hooks import start

    run = start("outage", redis_url=address, weights="sketch")
    networks = {"G": generator(WIDTH), "D": discriminator(WIDTH)}
    return lambda step: run.push_weights(step, networks, scalars=SCALARS)


def tensorboard(address: str, folder: Path) -> Call:
    from torch.utils.tensorboard import SummaryWriter

    writer: Any = SummaryWriter(address)

    def call(step: int) -> None:
        for name, value in SCALARS.items():
            writer.add_scalar(name, value, step)

    return call


def wandb_offline(address: str, folder: Path) -> Call:
    import wandb

    run: Any = wandb.init(mode="offline", project="outage", dir=folder)
    return lambda step: run.log(SCALARS, step=step)


def wandb_online(address: str, folder: Path) -> Call:
    import wandb

    os.environ |= {"WANDB_BASE_URL": address, "WANDB_API_KEY": "0" * 40}
    run: Any = wandb.init(project="outage", dir=folder)
    return lambda step: run.log(SCALARS, step=step)


def trackio(address: str, folder: Path) -> Call:
    import trackio

    run: Any = trackio.init("outage", server_url=address)
    return lambda step: run.log(SCALARS, step=step)


def mlflow(address: str, folder: Path) -> Call:
    import mlflow

    mlflow.set_tracking_uri(address)
    mlflow.set_experiment("outage")
    mlflow.start_run()
    return lambda step: mlflow.log_metrics(SCALARS, step=step)


def aim(address: str, folder: Path) -> Call:
    import aim

    run: Any = aim.Run(repo=address, log_system_params=False, system_tracking_interval=None)

    def call(step: int) -> None:
        for name, value in SCALARS.items():
            run.track(value, name=name, step=step)

    return call


TOOLS: dict[str, Callable[[str, Path], Call]] = {
    tool.__name__: tool
    for tool in (
        *(sqd_scalars, sqd_sketch, tensorboard, wandb_offline, wandb_online),
        *(trackio, mlflow, aim),
    )
}


class Record:
    """Lines of JSON, each on disk before the next thing happens."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", buffering=1)

    def write(self, event: str, **values: Any) -> None:
        """Add a line: what happened, when (monotonic seconds, the same for all processes)."""
        self._file.write(json.dumps({"event": event, "at_s": time.monotonic(), **values}) + "\n")


def call_often(record: Record, call: Call, first: int, calls: int) -> None:
    """Call and record how long each took and what it raised; trainers do not stop for a logger."""
    for step in range(first, first + calls):
        raised = ""
        begun_s = time.perf_counter()
        try:
            call(step)
        except Exception as error:
            raised = f"{type(error).__name__}: {error}"[:SAID]
        record.write("call", seconds=time.perf_counter() - begun_s, raised=raised)
        time.sleep(PAUSE_S)


def main() -> None:
    """Log, wait for the outage, log, leave."""
    tool, address, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    healthy, calls = map(int, sys.argv[4:])
    os.environ |= QUIET_PEERS
    os.environ |= {"TRACKIO_DIR": str(folder / "trackio"), "SQD_HOME": str(folder / "home")}
    record = Record(folder / "record.jsonl")
    record.write("begun")
    call = TOOLS[tool](address, folder)
    record.write("initialised")
    call_often(record, call, 0, healthy)
    record.write("ready")
    while not (folder / "go").exists():
        time.sleep(PAUSE_S)
    call_often(record, call, OUTAGE_STEP, calls)
    record.write("leaving")


if __name__ == "__main__":
    main()
