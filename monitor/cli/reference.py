"""Reference sets: the identities that D counts."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from rich.progress import track

from monitor.cli.options import Device, Embedder, Home
from monitor.config import load_settings
from monitor.errors import MonitorError

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)
#: Files that are taken for images.
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")


@app.callback()
def _group() -> None:
    """Keeps `build` a command of its own while it is the only one."""


@app.command()
def build(
    name: Annotated[str, typer.Option(help="Name of the set.")],
    images: Annotated[Path, typer.Option(help="A folder with one folder per identity.")],
    embedder: Embedder = None,
    device: Device = None,
    home: Home = None,
) -> None:
    """Build a reference set from one folder of images per identity."""
    settings = load_settings(embedder=embedder, device=device, home=home)
    folders = sorted(folder for folder in images.glob("*") if folder.is_dir())
    if not folders:
        raise MonitorError(f"{images} holds no folders; give one folder per identity")
    from monitor.diversity.embedder import load_embedder
    from monitor.diversity.reference import build_reference
    from monitor.worker.evaluators import choose_device

    device_name = choose_device(settings.device)
    chosen = load_embedder(settings.embedder or "buffalo_l", device_name)
    built = build_reference(name, chosen, _crops(folders, device_name))
    target = settings.home / "references" / f"{name}.safetensors"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        built.save(target)
    except OSError as error:
        raise MonitorError(f"{target} cannot be written: {error.strerror}") from error
    print(f"{target}: {len(built.labels)} identities, {int(built.counts.sum())} images")


def _crops(folders: list[Path], device: str) -> "Iterator[tuple[str, NDArray[np.uint8]]]":
    from PIL import Image

    from monitor.diversity.alignment import align
    from monitor.quality import FaceQuality

    detector = FaceQuality(device)
    for folder in track(folders, description="embedding"):
        files = [f for f in sorted(folder.iterdir()) if f.suffix.lower() in IMAGE_SUFFIXES]
        crops = []
        for file in files:
            try:
                with Image.open(file) as image:
                    pixels = np.asarray(image.convert("RGB"))[None]
            except OSError as error:
                print(f"left out: {file}: {error}")
                continue
            crops.append(align(pixels, detector.detect(pixels).landmarks, device))
        if crops:
            yield folder.name, np.concatenate(crops)
