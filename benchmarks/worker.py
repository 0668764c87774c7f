"""What a worker does: images per second of each stage, and the memory of every process.

    python -m benchmarks.worker [--images 500]

Stages run on the same real faces in the same run; Q is compared with facenet-pytorch's `detect`,
with which it must agree. Memory is read from a running `sqd demo` (`--memory-only`: of one that
already runs).
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import torch
from facenet_pytorch import MTCNN
from numpy.typing import NDArray

from monitor.demo.faces import load_faces
from monitor.diversity import nearest_mode
from monitor.diversity.alignment import align
from monitor.diversity.embedder import load_embedder
from monitor.diversity.reference import load_reference
from monitor.quality import FaceQuality

#: Repetitions of each stage; the median counts.
REPEATS = 5
#: Seconds after which the demo's processes have settled.
SETTLE_S = 60.0


def faces(images: int, size: int) -> NDArray[np.uint8]:
    """(N, size, size, 3) uint8: real faces, slightly noisy so that no two are equal."""
    pixels = load_faces(size).numpy()[:, 0]
    generator = np.random.default_rng(0)
    chosen = pixels[np.arange(images) % len(pixels)]
    noisy = chosen + generator.normal(0, 0.02, chosen.shape)
    grey = ((noisy + 1) * 127.5).clip(0, 255).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=3)


def rate(work: Callable[[], object], images: int) -> float:
    """Images per second: the median of REPEATS runs after one to warm up."""
    work()
    seconds = []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begun)
    return images / statistics.median(seconds)


def stages(images: int) -> None:
    """Print images per second of each stage on one thread."""
    batch = faces(images, 64)
    quality, embedder, reference = (
        FaceQuality(),
        load_embedder("faces100"),
        load_reference("faces100"),
    )
    peer = MTCNN(keep_all=True, post_process=False)
    landmarks = quality.detect(batch).landmarks
    crops = align(batch, landmarks)
    features = reference.prepare(embedder.embed(crops))

    def whole() -> None:
        found = quality.detect(batch)
        aligned = align(batch, found.landmarks)
        nearest_mode(reference.prepare(embedder.embed(aligned)), reference.centroids)

    detect = rate(lambda: quality.detect(batch), images)
    theirs = rate(lambda: [peer.detect(batch[i : i + 32]) for i in range(0, images, 32)], images)
    title = f"stage ({images} images, 64 px, threads: {torch.get_num_threads()})"
    print(f"| {title} | images/s |\n|---|---|")
    print(f"| facenet-pytorch detect() | {theirs:.0f} |")
    print(f"| Q: our cascade | {detect:.0f} ({detect / theirs:.2f} times) |")
    print(f"| D: alignment | {rate(lambda: align(batch, landmarks), images):.0f} |")
    print(f"| D: faces100 embedding | {rate(lambda: embedder.embed(crops), images):.0f} |")
    nearest = rate(lambda: nearest_mode(features, reference.centroids), images)
    print(f"| D: nearest of 100 modes | {nearest:.0f} |")
    print(f"| Q and D together | {rate(whole, images):.0f} |")


def memory(*, running: bool) -> None:
    """Print the resident memory of every process of a demo."""
    if running:
        print_memory()
        return
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "monitor.cli", "demo", "--port", "0", "--home", folder]
        demo = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            time.sleep(SETTLE_S)
            print_memory()
        finally:
            demo.terminate()
            demo.wait()


def print_memory() -> None:
    """Resident memory of the processes that belong to the product."""
    print("\n| process | resident MB |\n|---|---|")
    for entry in sorted(Path("/proc").glob("[0-9]*")):
        try:
            words = (entry / "cmdline").read_bytes().decode().split("\0")
            status = (entry / "status").read_text()
        except OSError:
            continue
        line = " ".join(words)
        ours = "monitor.cli" in line or "monitor.demo" in line or "redis-server" in words[0]
        if ours and "VmRSS" in status:
            kilobytes = int(status.split("VmRSS:")[1].split()[0])
            print(f"| {name_of(line)} | {kilobytes / 1024:.0f} |")


def name_of(line: str) -> str:
    """What a process is, from its command line."""
    if "redis-server" in line:
        return "redis-server"
    if "monitor.demo" in line:
        return "trainer (demo)"
    if "--lane fast" in line:
        return "worker, fast lane"
    return "worker, samples lane" if " worker" in line else "server and watch"


def main() -> None:
    """Measure stages, then memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--threads", type=int, default=1, help="of torch")
    parser.add_argument("--memory-only", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if not arguments.memory_only:
        stages(arguments.images)
    memory(running=arguments.memory_only)


if __name__ == "__main__":
    main()
