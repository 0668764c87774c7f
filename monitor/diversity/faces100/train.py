"""Train and ship `faces100`: ``python -m monitor.diversity.faces100.train``.

Writes the network (ONNX) and its reference set into ``monitor/diversity/data``. Needs the ``dev``
extra. Everything is seeded: the same machine, packages and number of threads give the same bytes.
"""

import argparse
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor, nn

from monitor.diversity.alignment import CROP_SIZE
from monitor.diversity.embedder import DATA, load_embedder
from monitor.diversity.faces100.arcface import ArcFaceLoss
from monitor.diversity.faces100.faces import FACES, load_faces, view_crops
from monitor.diversity.faces100.network import DIMENSION, Faces100Network
from monitor.diversity.onnx_export import export_onnx
from monitor.diversity.reference import build_reference

#: Seed of everything that training and the reference set draw.
SEED = 100
#: Augmentation's strength in training.
STRENGTH = 1.0
#: Sides of the views, in pixels: GAN images at 32×32 and 64×64, and between.
SIZES = (32, 48, 64)
#: Part of the views that count as "no face found" and are resized whole.
WHOLE_SHARE = 0.35
#: Optimizer steps: about six minutes on one CPU thread.
STEPS = 1500
#: Views in a step.
BATCH = 128
#: Highest learning rate of the one-cycle schedule, and AdamW's weight decay.
LEARNING_RATE, WEIGHT_DECAY = 3e-3, 5e-2
#: Views of each face behind its centroid, for each size clean and at a mild strength; half of them
#: aligned, half whole.
REFERENCE_VIEWS, REFERENCE_STRENGTHS = 16, (0.0, 0.5)
#: Features that the reference set keeps for D's companions: 2 MB of the wheel.
KEPT_FEATURES = 1000
#: Steps between two lines of progress.
_REPORT_STEPS = 50


def train(faces: Tensor, landmarks: Tensor, steps: int, generator: Generator) -> nn.Module:
    """Fit the network to tell the faces apart, with the ArcFace loss.

    Args:
        faces: (100, 25, 25) float32 in [0, 1].
        landmarks: (100, 5, 2) float32 pixel coordinates.
        steps: optimizer steps.
        generator: draws the views.

    Returns:
        The network in evaluation mode.
    """
    network, loss = Faces100Network(), ArcFaceLoss(DIMENSION, FACES, generator)
    parameters = [*network.parameters(), *loss.parameters()]
    optimizer = torch.optim.AdamW(parameters, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps)
    began = time.monotonic()
    for step in range(1, steps + 1):
        identity = torch.randint(FACES, (BATCH,), generator=generator)
        size = SIZES[step % len(SIZES)]
        whole = torch.rand(BATCH, generator=generator) < WHOLE_SHARE
        crops = view_crops(faces[identity], landmarks[identity], size, STRENGTH, whole, generator)
        error = loss(network(_network_input(crops)), identity)
        optimizer.zero_grad()
        error.backward()
        optimizer.step()
        schedule.step()
        if step % _REPORT_STEPS == 0:
            seconds = time.monotonic() - began
            print(f"step {step}/{steps}  loss {error:.3f}  {seconds:.0f} s", flush=True)
    return network.eval()


def _network_input(crops: NDArray[np.uint8]) -> Tensor:
    half = np.iinfo(np.uint8).max / 2
    return (torch.from_numpy(crops).permute(0, 3, 1, 2) - half) / half


def export(network: nn.Module, path: Path) -> None:
    """Write the network with ArcFace's contract, N free."""
    export_onnx(network, CROP_SIZE, path)


def reference_crops(
    faces: Tensor, landmarks: Tensor, generator: Generator
) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """For each face its clean crops, aligned and whole, and those of mild views."""
    whole = torch.arange(REFERENCE_VIEWS) % 2 == 0
    for index in range(FACES):
        face = faces[index].expand(REFERENCE_VIEWS, -1, -1)
        points = landmarks[index].expand(REFERENCE_VIEWS, -1, -1)
        crops = [
            view_crops(face, points, size, strength, whole, generator)
            for size in SIZES
            for strength in REFERENCE_STRENGTHS
        ]
        yield f"face {index + 1}", np.concatenate(crops)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Train faces100 and build its reference set.")
    parser.add_argument("--output", type=Path, default=DATA, help="folder for both files")
    parser.add_argument("--steps", type=int, default=STEPS, help="optimizer steps")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(SEED)
    generator = Generator().manual_seed(SEED)
    arguments.output.mkdir(parents=True, exist_ok=True)
    faces, landmarks = load_faces()
    model = arguments.output / "faces100.onnx"
    export(train(faces, landmarks, arguments.steps, generator), model)
    embedder = replace(load_embedder(model), name="faces100")
    crops = reference_crops(faces, landmarks, generator)
    reference = build_reference("faces100", embedder, crops, keep=KEPT_FEATURES)
    reference.save(model.with_suffix(".safetensors"))
    print(f"wrote {model} (sha256 {embedder.sha256}) and {len(reference.labels)} modes")


if __name__ == "__main__":
    main()
