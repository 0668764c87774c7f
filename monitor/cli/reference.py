"""Reference sets: the identities that D counts."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from rich.progress import track

from monitor.cli.options import takes_settings
from monitor.config import Settings
from monitor.errors import ImageError, MonitorError

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)
#: Files that are taken for images.
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")
DEFAULT_EMBEDDER = "buffalo_l"


@app.callback()
def _group() -> None:
    """Keeps `build` a command of its own while it is the only one."""


@app.command(help="Build a reference set from one folder of images per identity.")
@takes_settings("embedder", "device", "home")
def build(
    settings: Settings,
    name: Annotated[str, typer.Option(help="Name of the set.")],
    images: Annotated[Path, typer.Option(help="A folder with one folder per identity.")],
) -> None:
    if Path(name).name != name:
        raise MonitorError(f"{name!r} cannot name a set: it is to be one file's name")
    folders = sorted(folder for folder in images.glob("*") if folder.is_dir())
    if not folders:
        raise MonitorError(f"{images} holds no folders; give one folder per identity")
    from monitor.diversity.embedder import load_embedder
    from monitor.diversity.reference import SUFFIX, build_reference
    from monitor.worker.evaluators import choose_device

    device = choose_device(settings.device)
    embedder = load_embedder(settings.embedder or DEFAULT_EMBEDDER, device)
    built = build_reference(name, embedder, _crops(folders, device))
    target = settings.home / "references" / f"{name}{SUFFIX}"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        built.save(target)
    except OSError as error:
        raise MonitorError(f"{target} cannot be written: {error.strerror}") from error
    print(f"{target}: {len(built.labels)} identities, {int(built.counts.sum())} images")


def _crops(folders: list[Path], device: str) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """Name and aligned crops of each folder that holds an image."""
    from monitor.diversity.alignment import align
    from monitor.quality import FaceQuality

    detector = FaceQuality(device)
    for folder in track(folders, description="embedding"):
        crops = []
        for file in sorted(folder.iterdir()):
            if file.suffix.lower() in IMAGE_SUFFIXES:
                try:
                    pixels = _pixels(file)
                    crops.append(align(pixels, detector.detect(pixels).landmarks, device))
                except (OSError, ImageError) as error:
                    print(f"left out: {file}: {error}")
        if crops:
            yield folder.name, np.concatenate(crops)


def _pixels(file: Path) -> NDArray[np.uint8]:
    """(1, H, W, 3) uint8 RGB."""
    from PIL import Image

    with Image.open(file) as image:
        return np.asarray(image.convert("RGB"))[None]
