"""The reference sets of a home: kept, listed, moved, deleted."""

from pathlib import Path

import numpy as np
import pytest

from monitor.diversity.reference import ReferenceSet, load_reference
from monitor.diversity.shelf import SHIPPED, Shelf
from monitor.errors import ReferenceError


def make(name: str) -> ReferenceSet:
    centroids = np.arange(6, dtype=np.float32).reshape(3, 2)
    return ReferenceSet(
        name, centroids, np.array([1, 2, 3]), ("a", "b", "c"), "colour", "ab" * 32, False
    )


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "home")


def test_a_set_is_kept_under_its_name(shelf: Shelf, tmp_path: Path) -> None:
    assert shelf.names() == [SHIPPED]
    shelf.keep(make("mine"))
    assert shelf.names() == [SHIPPED, "mine"]
    assert shelf.read("mine").labels == ("a", "b", "c")
    assert load_reference("mine", tmp_path / "home").name == "mine"
    assert len(shelf.read(SHIPPED).labels) == 100


def test_it_moves_to_another_home(shelf: Shelf, tmp_path: Path) -> None:
    shelf.keep(make("mine"))
    file = tmp_path / "moved.safetensors"
    shelf.export("mine", file)
    other = Shelf(tmp_path / "other")
    assert other.take_in(file).name == "mine"
    assert other.take_in(file, "second").name == "second"
    assert other.names() == [SHIPPED, "mine", "second"]
    np.testing.assert_array_equal(other.read("second").centroids, make("x").centroids)
    with pytest.raises(ReferenceError, match="there is a set 'mine' already"):
        other.take_in(file)
    with pytest.raises(ReferenceError, match=r"moved\.safetensors exists; choose another file"):
        shelf.export("mine", file)
    with pytest.raises(ReferenceError, match="must end in"):
        shelf.export("mine", tmp_path / "moved.bin")
    with pytest.raises(ReferenceError, match=r"/proc/nowhere\.safetensors cannot be written"):
        shelf.export("mine", Path("/proc/nowhere.safetensors"))


def test_it_is_deleted_with_all_that_belongs_to_it(shelf: Shelf, tmp_path: Path) -> None:
    target = shelf.keep(make("mine"))
    shelf.build_folder("mine").mkdir()
    (target.parent / "mine.left-out.txt").write_text("x")
    shelf.delete("mine")
    assert list(target.parent.iterdir()) == []
    with pytest.raises(ReferenceError, match="no set is called 'mine'; there are faces100"):
        shelf.delete("mine")
    with pytest.raises(ReferenceError, match="faces100 is the set that ships"):
        shelf.delete(SHIPPED)


@pytest.mark.parametrize(
    "name", ["", "..", "a/b", "/etc/x", ".hidden", "x.safetensors", "a\nb", "x" * 201, SHIPPED]
)
def test_names_that_cannot_be(shelf: Shelf, name: str) -> None:
    with pytest.raises(ReferenceError, match=r"cannot name a set|is the set that ships"):
        shelf.keep(make(name))


def test_a_set_from_elsewhere_cannot_leave_the_folder(shelf: Shelf, tmp_path: Path) -> None:
    file = tmp_path / "evil.safetensors"
    make("../../evil").save(file)
    with pytest.raises(ReferenceError, match="cannot name a set"):
        shelf.take_in(file)
    assert shelf.take_in(file, "tame").name == "tame"


def test_files_that_are_no_sets(shelf: Shelf, tmp_path: Path) -> None:
    (tmp_path / "x.safetensors").write_bytes(b"none")
    with pytest.raises(ReferenceError, match="cannot be read"):
        shelf.take_in(tmp_path / "x.safetensors")
    with pytest.raises(ReferenceError, match="they end in"):
        shelf.take_in(tmp_path / "x.bin")
    with pytest.raises(ReferenceError, match="no reference set at"):
        shelf.take_in(tmp_path / "gone.safetensors")
