"""Which images a reference set is built from, and which mode each of them shows."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from monitor.errors import ReferenceError

#: Files that are taken for images.
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif")


@dataclass(frozen=True, slots=True)
class Gallery:
    """Images in an order that only their names decide.

    Attributes:
        root: folder that holds them.
        files: paths below it, sorted.
        modes: number of the mode of each file, or none: the images have no labels.
        labels: of the modes.
    """

    root: Path
    files: tuple[str, ...]
    modes: tuple[int, ...] | None = None
    labels: tuple[str, ...] = ()


def by_folder(root: Path) -> Gallery:
    """One folder per identity; images may lie deeper in it.

    Raises:
        ReferenceError: there are none.
    """
    files = [file for file in _images(root) if "/" in file]
    if not files:
        raise ReferenceError(f"{root} holds no folders of images; give one folder per identity")
    return _labelled(root, {file: printable(file.split("/", 1)[0]) for file in files})


def by_identities(root: Path, table: Path) -> Gallery:
    """CelebA's ``identity_CelebA.txt``: a line a file, ``000001.jpg 2880``.

    A file that is listed but not there is left out later, with its name.

    Raises:
        ReferenceError: the table cannot be read, or a line is something else.
    """
    if not root.is_dir():
        raise ReferenceError(f"{root} is no folder")
    try:
        lines = table.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ReferenceError(f"{table} cannot be read: {error}") from error
    labels: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        parts = line.rsplit(maxsplit=1)
        file, label = parts if len(parts) == 2 else ("", "")
        file = file.strip()
        if not file or labels.setdefault(file, label) != label:
            wrong = f"gives {file} another identity" if file else "is not `file identity`"
            raise ReferenceError(f"{table}: line {number} {wrong}")
    if not labels:
        raise ReferenceError(f"{table} lists no images")
    return _labelled(root, labels)


def unlabelled(root: Path) -> Gallery:
    """Every image in a folder, however deep; nobody says what it shows.

    Raises:
        ReferenceError: there are none.
    """
    files = tuple(_images(root))
    if not files:
        raise ReferenceError(f"{root} holds no images")
    return Gallery(root, files)


def _images(root: Path) -> list[str]:
    if not root.is_dir():
        raise ReferenceError(f"{root} is no folder")
    try:
        return sorted(_below(str(root), "", frozenset()))
    except OSError as error:
        raise ReferenceError(f"{root} cannot be read: {error}") from error


def _below(folder: str, prefix: str, above: frozenset[str]) -> Iterator[str]:
    """Paths of images in a folder and those below, links to folders among them."""
    real = os.path.realpath(folder)
    if real in above:  # A link to a folder that it lies in.
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                yield from _below(entry.path, f"{prefix}{entry.name}/", above | {real})
            elif entry.name.lower().endswith(SUFFIXES) and entry.is_file():
                yield prefix + entry.name


def printable(name: str) -> str:
    """A file's name as text that every program takes, though the name may be no UTF-8."""
    text = os.fsencode(name).decode(errors="backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _labelled(root: Path, label_of: dict[str, str]) -> Gallery:
    labels = _natural(set(label_of.values()))
    number = {label: index for index, label in enumerate(labels)}
    files = tuple(sorted(label_of))
    return Gallery(root, files, tuple(number[label_of[file]] for file in files), labels)


def _natural(labels: Iterable[str]) -> tuple[str, ...]:
    """Numbers by their size, before text in its order."""
    return tuple(
        sorted(labels, key=lambda label: (not label.isdecimal(), len(label.lstrip("0")), label))
        if all(label.isdecimal() for label in labels)
        else sorted(labels)
    )
