"""What the hooks cost a training: time per call, and iteration time with and without them.

    python -m benchmarks.hooks [--iterations 300]

Trains the demo's GAN in blocks that alternate between "off" and each way of pushing, in one process
and one run, against the embedded Redis and a worker's fast lane. Prints medians and ratios.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch.nn.functional import softplus

from monitor.demo.faces import load_faces
from monitor.demo.networks import NOISE, SIZE, Discriminator, Generator
from monitor.process import start_child, stop_children
from monitor.store.embedded import EmbeddedRedis
from trainer_hooks import Run, start

#: Iterations of one block; ways of pushing alternate block by block, so drifts hit all alike.
BLOCK = 25
BATCH = 64
#: Calls timed by themselves; the queue's budget holds their snapshots.
CALLS_ALONE = 100
WAYS = ("off", "scalars", "sketch", "full")


class Training:
    """The demo's GAN, one iteration at a time."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.netG, self.netD = Generator(), Discriminator()
        self.optG = torch.optim.Adam(self.netG.parameters(), 2e-4, (0.5, 0.999))
        self.optD = torch.optim.Adam(self.netD.parameters(), 2e-4, (0.5, 0.999))
        self.faces = load_faces(SIZE)
        self.step = 0

    def iterate(self) -> dict[str, torch.Tensor]:
        """One step of both networks; their losses."""
        self.step += 1
        fake = self.netG(torch.randn(BATCH, NOISE, 1, 1))
        real = self.faces[torch.randint(len(self.faces), (BATCH,))]
        errD = softplus(-self.netD(real)).mean() + softplus(self.netD(fake.detach())).mean()
        self.optD.zero_grad()
        errD.backward()  # type: ignore[no-untyped-call]
        self.optD.step()
        errG = softplus(-self.netD(fake)).mean()
        self.optG.zero_grad()
        errG.backward()  # type: ignore[no-untyped-call]
        self.optG.step()
        return {"loss.G": errG, "loss.D": errD}


def pushes(
    training: Training, redis_url: str
) -> dict[str, Callable[[dict[str, torch.Tensor]], None]]:
    """The call that each way makes after an iteration; thinning is off, so every call pays."""

    def run(way: str) -> Run:
        weights = way if way in ("sketch", "full") else "auto"
        return start(f"bench-{way}", redis_url=redis_url, weights=weights, max_overhead=1.0)

    runs = {way: run(way) for way in WAYS[1:]}

    def with_networks(way: str) -> Callable[[dict[str, torch.Tensor]], None]:
        return lambda losses: runs[way].push_weights(
            training.step, G=training.netG, D=training.netD, scalars=losses
        )

    return {
        "off": lambda losses: None,
        "scalars": lambda losses: runs["scalars"].push_weights(training.step, scalars=losses),
        "sketch": with_networks("sketch"),
        "full": with_networks("full"),
    }


def alone(
    training: Training, calls: dict[str, Callable[[dict[str, torch.Tensor]], None]]
) -> dict[str, float]:
    """Median µs of a call by itself, with warm caches and nothing between the calls."""
    losses = training.iterate()
    medians = {}
    for way in WAYS:
        spent_us = []
        for _ in range(CALLS_ALONE):
            training.step += 1
            begun = time.perf_counter()
            calls[way](losses)
            spent_us.append((time.perf_counter() - begun) * 1e6)
        medians[way] = statistics.median(spent_us)
    return medians


def measure(iterations: int, redis_url: str) -> None:
    """Run the blocks and print the table."""
    training = Training()
    calls = pushes(training, redis_url)
    iteration_ms: dict[str, list[float]] = {way: [] for way in WAYS}
    call_us: dict[str, list[float]] = {way: [] for way in WAYS}
    for block in range(-(-iterations // BLOCK) + 1):
        for way in WAYS if block % 2 else WAYS[::-1]:
            for _ in range(BLOCK):
                begun = time.perf_counter()
                losses = training.iterate()
                called = time.perf_counter()
                calls[way](losses)
                ended = time.perf_counter()
                if block:  # the first block warms up
                    iteration_ms[way].append((ended - begun) * 1e3)
                    call_us[way].append((ended - called) * 1e6)
    calls_alone_us = alone(training, calls)
    off = statistics.median(iteration_ms["off"])
    columns = (
        "way",
        "call alone p50 µs",
        "in training p50 µs",
        "p99 µs",
        "iteration p50 ms",
        "ratio",
    )
    print(f"| {' | '.join(columns)} |\n{'|---' * len(columns)}|")
    for way in WAYS:
        p99_us = statistics.quantiles(call_us[way], n=100)[98]
        median_ms = statistics.median(iteration_ms[way])
        cells = (
            way,
            f"{calls_alone_us[way]:.0f}",
            f"{statistics.median(call_us[way]):.0f}",
            f"{p99_us:.0f}",
            f"{median_ms:.2f}",
            f"{median_ms / off:.3f}",
        )
        print(f"| {' | '.join(cells)} |")


def main() -> None:
    """Start Redis and a fast lane, measure, stop them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--iterations", type=int, default=300, help="of each way")
    parser.add_argument("--threads", type=int, default=1, help="of torch")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    with tempfile.TemporaryDirectory() as folder:
        embedded = EmbeddedRedis(Path(folder))
        worker: list[subprocess.Popen[bytes]] = []
        try:
            command = [sys.executable, "-m", "monitor.cli", "worker", "--lane", "fast"]
            worker = [start_child(command, environment={"SQD_REDIS_URL": embedded.redis_url})]
            measure(arguments.iterations, embedded.redis_url)
        finally:
            stop_children(worker)
            embedded.close()


if __name__ == "__main__":
    main()
