"""Build a reference set from your images; killed at any moment, the same command goes on."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.bar import progress_bar
from monitor.cli.options import takes_settings
from monitor.config import Settings
from monitor.diversity.gallery import Gallery, by_folder, by_identities, unlabelled
from monitor.diversity.shelf import LEFT_OUT, Shelf

if TYPE_CHECKING:
    from monitor.diversity.building import Built

DEFAULT_EMBEDDER = "buffalo_l"
#: Images and modes that are named on the terminal; all are in a file.
MOST_NAMED = 20


@takes_settings("embedder", "device", "home", "max_batch_bytes", "max_gpu_bytes")
def build(
    settings: Settings,
    name: Annotated[str, typer.Option(help="Name of the set.")],
    images: Annotated[Path, typer.Option(help="A folder of images.")],
    identities: Annotated[
        Path | None,
        typer.Option(help="A table like identity_CelebA.txt: `000001.jpg 2880`, a line a file."),
    ] = None,
    folders: Annotated[
        bool, typer.Option("--by-folder", help="One folder per identity (default).")
    ] = False,
    cluster: Annotated[
        int | None, typer.Option(help="No labels: find this many modes by k-means.", min=2)
    ] = None,
    normalise: Annotated[
        bool | None,
        typer.Option(
            "--normalise/--no-normalise",
            help="Scale features to length 1 first, as ArcFace wants it (default, except for "
            "inception, whose lengths count).",
        ),
    ] = None,
) -> None:
    if sum((identities is not None, folders, cluster is not None)) > 1:
        raise typer.BadParameter("give one of --identities, --by-folder and --cluster")
    shelf = Shelf(settings.home)
    target, folder = shelf.path(name), shelf.build_folder(name)
    if identities is not None:
        gallery = by_identities(images, identities)
    else:
        gallery = by_folder(images) if cluster is None else unlabelled(images)
    built = _build(settings, name, gallery, folder, normalise, cluster or 0)
    shelf.keep(built.reference)
    shelf.discard_build(name)
    _tell(built, target)


def _build(
    settings: Settings,
    name: str,
    gallery: Gallery,
    folder: Path,
    normalise: bool | None,
    clusters: int,
) -> "Built":
    # Spinning OpenMP threads make MTCNN's many tiny operations up to ten times slower. It must be
    # set before torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from monitor.diversity.building import build_from_gallery
    from monitor.diversity.embedding import workspace
    from monitor.evaluators.faces import FaceFinder
    from monitor.evaluators.load import load_embedder
    from monitor.quality import FaceQuality
    from monitor.worker.evaluators import cap_gpu_memory, choose_device

    device = choose_device(settings.device)
    cap_gpu_memory(device, settings.max_gpu_bytes)
    faces = FaceQuality(device, settings.max_batch_bytes)
    finder = FaceFinder(faces, device, settings.max_gpu_bytes)
    embedder = load_embedder(settings.embedder or DEFAULT_EMBEDDER, finder)
    normalised = embedder.head is None if normalise is None else normalise
    try:
        with (
            workspace(folder),
            progress_bar("embedding", "images", len(gallery.files)) as on_progress,
        ):
            return build_from_gallery(
                name, gallery, embedder, folder,
                normalised=normalised, clusters=clusters, on_progress=on_progress,
            )  # fmt: skip
    except KeyboardInterrupt:
        typer.echo("stopped; the same command goes on where it was", err=True)
        raise


def _tell(built: "Built", target: Path) -> None:
    """What was built, and what did not go into it."""
    reference, left_out = built.reference, built.left_out
    listed = target.with_suffix(LEFT_OUT)
    listed.unlink(missing_ok=True)
    modes, images = len(reference.labels), int(reference.counts.sum())
    print(f"{target}: {modes} modes, {images} images")
    if built.unaligned:
        print(f"no face was found in {built.unaligned} of them; they were taken whole")
    if built.empty:
        print(f"no image is left of {len(built.empty)} modes: {_some(list(built.empty))}")
    if left_out:
        lines = [f"{file}: {why}" for file, why in left_out.items()]
        listed.write_text("".join(f"{line}\n" for line in lines))
        print(f"{len(left_out)} images were left out (all are in {listed}):")
        for line in lines[:MOST_NAMED]:
            print(f"  {line}")


def _some(names: list[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more
