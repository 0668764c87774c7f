"""Reference sets: the modes that D counts."""

import json
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from monitor.cli.options import AsJson, takes_settings
from monitor.cli.reference_build import build
from monitor.cli.reference_train import train_embedder
from monitor.config import Settings
from monitor.diversity.reference import SUFFIX, ReferenceSet
from monitor.diversity.shelf import Shelf
from monitor.errors import ReferenceError

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)
#: Fullest and emptiest modes that `show` names.
SHOWN_MODES = 5

Name = Annotated[str, typer.Argument(help="Name of a set.")]

app.command("build", help="Build a set from your images; killed, the same command goes on.")(build)
app.command("train-embedder", help="Train a small embedder on a folder of labelled images.")(
    train_embedder
)


@app.command("list", help="List the sets: modes, images, embedder.")
@takes_settings("home")
def list_(settings: Settings, json_: AsJson = False) -> None:
    shelf = Shelf(settings.home)
    found = [_row(shelf, name) for name in shelf.names()]
    if json_:
        print(json.dumps(found))
        return
    table = Table("name", "modes", "images", "d", "embedder", box=None)
    table.columns[0].overflow = "fold"  # A name is to be copied, not to be guessed.
    for row in found:
        shown = (row.get(key, "–") for key in ("modes", "images", "dimension"))
        # As text: a name may look like rich's markup.
        cells = [row["name"], *map(str, shown), row.get("embedder") or row["error"]]
        table.add_row(*map(Text, cells))
    Console().print(table)


@app.command(help="Show a set: what it was made with, its fullest and emptiest modes.")
@takes_settings("home")
def show(settings: Settings, name: Name, json_: AsJson = False) -> None:
    reference = Shelf(settings.home).read(name)
    about = {**_about(name, reference), **_extremes(reference)}
    if json_:
        print(json.dumps(about))
        return
    table = Table("", "", box=None, show_header=False)
    table.columns[1].overflow = "fold"
    for key, value in about.items():
        table.add_row(key.replace("_", " "), Text(_plain(value)))
    Console().print(table)


@app.command(help="Delete a set.")
@takes_settings("home")
def delete(settings: Settings, name: Name) -> None:
    Shelf(settings.home).delete(name)
    print(f"deleted {name}")


@app.command(help="Write a set to a file, to be imported elsewhere.")
@takes_settings("home")
def export(
    settings: Settings,
    name: Name,
    file: Annotated[Path | None, typer.Argument(help=f"Default: NAME{SUFFIX}.")] = None,
) -> None:
    target = file or Path(f"{name}{SUFFIX}")
    Shelf(settings.home).export(name, target)
    print(target)


@app.command("import", help="Take in a set from a file.")
@takes_settings("home")
def import_(
    settings: Settings,
    file: Annotated[Path, typer.Argument(help=f"A {SUFFIX} file that `export` wrote.")],
    name: Annotated[str | None, typer.Option(help="Another name for it.")] = None,
) -> None:
    shelf = Shelf(settings.home)
    reference = shelf.take_in(file, name)
    print(f"{shelf.path(reference.name)}: {len(reference.labels)} modes")


def _row(shelf: Shelf, name: str) -> dict[str, Any]:
    try:
        return _about(name, shelf.read(name))
    except ReferenceError as error:
        return {"name": name, "error": str(error)}


def _about(name: str, reference: ReferenceSet) -> dict[str, Any]:
    return {
        "name": name,
        "modes": len(reference.labels),
        "images": int(reference.counts.sum()),
        "dimension": reference.centroids.shape[1],
        "features_kept": 0 if reference.features is None else len(reference.features),
        "normalised": reference.normalised,
        "embedder": reference.embedder,
        "embedder_sha256": reference.embedder_sha256,
    }


def _extremes(reference: ReferenceSet) -> dict[str, Any]:
    """Modes with the most and the fewest images."""
    order = np.argsort(-reference.counts, kind="stable").tolist()

    def named(modes: list[int]) -> list[dict[str, Any]]:
        return [{"label": reference.labels[i], "images": int(reference.counts[i])} for i in modes]

    return {"fullest": named(order[:SHOWN_MODES]), "emptiest": named(order[::-1][:SHOWN_MODES])}


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(f"{mode['label']} ({mode['images']})" for mode in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
