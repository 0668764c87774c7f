"""The reference sets of a home: those built there, and the one that ships."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from monitor.diversity.reference import SUFFIX, ReferenceSet, load_reference
from monitor.errors import ReferenceError

#: The set that ships; its name is taken.
SHIPPED = "faces100"
#: Endings of what belongs to a set: a build on its way, the list of images left out.
BUILD, LEFT_OUT = ".build", ".left-out.txt"
#: Longest name, characters: what file systems take, with the endings of ours.
MOST_NAME = 200


class Shelf:
    """Reference sets by name.

    Args:
        home: the monitor's data directory.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._folder = home / "references"

    def names(self) -> list[str]:
        """Every set there is, the one that ships first."""
        found = self._folder.glob(f"*{SUFFIX}")
        return [SHIPPED, *sorted(p.name.removesuffix(SUFFIX) for p in found if p.name[0] != ".")]

    def read(self, name: str) -> ReferenceSet:
        """A set.

        Raises:
            ReferenceError: there is none of this name, or it is damaged.
        """
        return load_reference(self._known(name), self._home)

    def path(self, name: str) -> Path:
        """Where a set of this name belongs.

        Raises:
            ReferenceError: nothing can have this name.
        """
        odd = not name or Path(name).name != name or not name.isprintable() or name[:1] == "."
        if odd or len(name) > MOST_NAME or name.endswith(SUFFIX):
            raise ReferenceError(
                f"{name!r} cannot name a set: give one file's name, without folders, a leading "
                f"dot or {SUFFIX}"
            )
        if name == SHIPPED:
            raise ReferenceError(f"{name} is the set that ships; choose another name")
        return self._folder / f"{name}{SUFFIX}"

    def build_folder(self, name: str) -> Path:
        """Where a build of this name keeps what it has done."""
        return self.path(name).with_suffix(BUILD)

    def keep(self, reference: ReferenceSet) -> Path:
        """Store a set under its name, in place of an older one.

        Raises:
            ReferenceError: it cannot be written.
        """
        target = self.path(reference.name)
        with _writing(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            reference.save(target)
        return target

    def discard_build(self, name: str) -> None:
        """Remove what a build of this name keeps on its way."""
        shutil.rmtree(self.build_folder(name), ignore_errors=True)

    def delete(self, name: str) -> None:
        """Remove a set, and what a build of this name left behind.

        Raises:
            ReferenceError: there is none, or it ships.
        """
        target, left = self.path(name), self.build_folder(name)
        if not target.exists() and not left.exists():
            self._known(name)
        with _writing(target):
            target.unlink(missing_ok=True)
            target.with_suffix(LEFT_OUT).unlink(missing_ok=True)
            self.discard_build(name)

    def export(self, name: str, target: Path) -> None:
        """Write a set to a file that does not exist yet.

        Raises:
            ReferenceError: there is no such set, it is damaged, or the file cannot be written.
        """
        reference = self.read(name)
        if target.suffix != SUFFIX:
            raise ReferenceError(f"{target} must end in {SUFFIX}, or it could not be read again")
        if target.exists():
            raise ReferenceError(f"{target} exists; choose another file")
        with _writing(target):
            reference.save(target)

    def take_in(self, source: Path, name: str | None = None) -> ReferenceSet:
        """Store a set from a file, under another name if given.

        Raises:
            ReferenceError: it is no reference set, or its name is taken.
        """
        if source.suffix != SUFFIX:
            raise ReferenceError(f"{source} is no reference set: they end in {SUFFIX}")
        given = load_reference(source)
        reference = replace(given, name=name or given.name)
        if self.path(reference.name).exists():
            raise ReferenceError(
                f"there is a set {reference.name!r} already; delete it or give another --name"
            )
        self.keep(reference)
        return reference

    def _known(self, name: str) -> str:
        if name != SHIPPED and not self.path(name).is_file():
            raise ReferenceError(f"no set is called {name!r}; there are {', '.join(self.names())}")
        return name


@contextmanager
def _writing(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ReferenceError(f"{target} cannot be written: {error.strerror}") from error
