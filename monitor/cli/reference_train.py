"""Train a small embedder on a folder of labelled images, for domains with no pretrained network."""

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from monitor.cli.bar import progress_bar
from monitor.cli.options import takes_settings
from monitor.config import Settings
from monitor.diversity.gallery import by_folder
from monitor.errors import MonitorError

#: Side of the images that the network takes, pixels.
SIDE = 64
#: Rounds of training at most; it ends earlier where it no longer helps.
ROUNDS = 100
#: Images left out that are named on the terminal.
MOST_NAMED = 20


@takes_settings("device", "home")
def train_embedder(
    settings: Settings,
    folder: Annotated[Path, typer.Argument(help="A folder with one folder per identity.")],
    output: Annotated[
        Path | None, typer.Option(help="ONNX file to write (default: the folder's name, here).")
    ] = None,
    side: Annotated[int, typer.Option(help="Side of its images, pixels.", min=16)] = SIDE,
    rounds: Annotated[int, typer.Option(help="Rounds at most.", min=1)] = ROUNDS,
    seed: Annotated[int, typer.Option(help="Seed of everything drawn.", min=0)] = 0,
) -> None:
    target = output or Path(f"{folder.resolve().name}.onnx")
    if target.suffix != ".onnx" or target.exists() or not target.absolute().parent.is_dir():
        raise MonitorError(f"{target} must be a new .onnx file in a folder that exists")
    gallery = by_folder(folder)
    from monitor.diversity.onnx_export import check_exporter, export_onnx
    from monitor.diversity.trained.pictures import read_pictures
    from monitor.diversity.trained.train import train
    from monitor.worker.evaluators import choose_device

    check_exporter()
    device = choose_device(settings.device)
    with tempfile.TemporaryDirectory(prefix=".sqd-", dir=target.absolute().parent) as space:
        with progress_bar("reading", "images", len(gallery.files)) as told:
            pictures = read_pictures(gallery, side, Path(space) / "pixels.u8", told)
        with progress_bar("training", "rounds", rounds) as told:
            told(0)
            network, report = train(
                pictures, rounds=rounds, seed=seed, device=device,
                on_round=lambda number, loss, reached: told(
                    number, f"loss {loss:.2f}, accuracy {reached:.1%}"
                ),
            )  # fmt: skip
        export_onnx(network, side, target)
    print(
        f"{target}: {report.accuracy:.1%} of {report.checked} held-out images are nearest to their "
        f"own of {len(pictures.labels)} identities (chance: {report.chance:.1%}); "
        f"round {report.best_round} of {report.rounds}"
    )
    if pictures.left_out:
        print(f"{len(pictures.left_out)} images were left out:")
        for file, why in list(pictures.left_out.items())[:MOST_NAMED]:
            print(f"  {file}: {why}")
    print(f"next: sqd reference build --name NAME --images {folder} --embedder onnx:{target}")
