"""Reference sets from folders of images: the means of eq 7, whatever happens on the way."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from monitor.diversity.building import Built, build_from_gallery
from monitor.diversity.embedding import BATCH, FEATURES, JOURNAL, PLAN, workspace
from monitor.diversity.gallery import Gallery, by_folder, by_identities, unlabelled
from monitor.diversity.reference import load_reference
from monitor.errors import EvaluatorError, ImageError, ReferenceError
from monitor.protocol import Features, Samples

ROOT = Path(__file__).parents[2]
PEOPLE, EACH = 5, 23


@dataclass
class MeanColour:
    """The feature of an image is its mean colour; black ones cannot be embedded."""

    sha256: str = "ab" * 32
    dimension: int | None = 3
    name: str = "colour"
    provider: str = "cpu"
    aligns: bool = True
    head: None = None
    seen: int = 0

    def features(self, samples: Samples) -> Features:
        self.seen += len(samples)
        means = samples.mean(axis=(2, 3)).astype(np.float32)
        if not means.any(axis=1).all():
            raise EvaluatorError("too dark")
        return Features(means, unaligned=int((means[:, 0] > 200).sum()))


def paint(path: Path, colour: NDArray[np.uint8], size: tuple[int, int] = (9, 7)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, tuple(colour.tolist())).save(path)


@pytest.fixture
def colours() -> dict[str, NDArray[np.uint8]]:
    """Colour of each file; more than three batches of them, of several sizes."""
    drawn = np.random.default_rng(5).integers(1, 256, (PEOPLE, EACH, 3), np.uint8)
    return {f"person {p}/{i:02d}.png": drawn[p, i] for p in range(PEOPLE) for i in range(EACH)}


@pytest.fixture
def images(tmp_path: Path, colours: dict[str, NDArray[np.uint8]]) -> Path:
    root = tmp_path / "images"
    for number, (file, colour) in enumerate(colours.items()):
        paint(root / file, colour, (9 + number % 3, 7))
    return root


def build(gallery: Gallery, folder: Path, embedder: MeanColour | None = None, *,
          normalised: bool = False, clusters: int = 0,
          on_progress: Callable[[int], None] = lambda done: None) -> Built:  # fmt: skip
    with workspace(folder):
        return build_from_gallery(
            "set", gallery, embedder or MeanColour(), folder,
            normalised=normalised, clusters=clusters, on_progress=on_progress,
        )  # fmt: skip


def saved(built: Built, path: Path) -> bytes:
    built.reference.save(path)
    return path.read_bytes()


@pytest.mark.parametrize("normalised", [False, True])
def test_centroids_are_the_means_of_each_folder(
    images: Path, tmp_path: Path, colours: dict[str, NDArray[np.uint8]], normalised: bool
) -> None:
    built = build(by_folder(images), tmp_path / "work", normalised=normalised)
    assert built.reference.labels == tuple(f"person {p}" for p in range(PEOPLE))
    assert built.reference.counts.tolist() == [EACH] * PEOPLE
    every = np.array([colours[file] for file in sorted(colours)], np.float32)
    assert built.reference.features is not None
    np.testing.assert_allclose(built.reference.features, built.reference.prepare(every), rtol=1e-6)
    assert (built.left_out, built.empty, built.reference.normalised) == ({}, (), normalised)
    assert built.unaligned == sum(int(colour[0]) > 200 for colour in colours.values())
    for p, centroid in enumerate(built.reference.centroids):
        own = np.array([c for f, c in colours.items() if f.startswith(f"person {p}")], float)
        if normalised:
            own /= np.sqrt((own**2).sum(axis=1, keepdims=True))
        np.testing.assert_allclose(centroid, own.sum(axis=0) / EACH, rtol=1e-6)


def test_a_table_of_identities_gives_the_same_in_any_order(
    images: Path, tmp_path: Path, colours: dict[str, NDArray[np.uint8]]
) -> None:
    lines = [f"{file} {10 - int(file[7])}" for file in colours]
    results = []
    for number, order in enumerate([lines, lines[::-1]]):
        table = tmp_path / f"identity_{number}.txt"
        table.write_text("\n".join(order) + "\n\n")
        built = build(by_identities(images, table), tmp_path / f"work{number}")
        results.append(saved(built, tmp_path / "set.safetensors"))
        assert built.reference.labels == ("6", "7", "8", "9", "10")
    assert results[0] == results[1]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("a.png 1\nb.png", "line 2 is not `file identity`"),
        ("a.png 1\nb.png 2\na.png 3", r"line 3 gives a\.png another identity"),
        ("\n\n", "lists no images"),
    ],
)
def test_tables_that_are_none(tmp_path: Path, lines: str, said: str) -> None:
    (tmp_path / "table.txt").write_text(lines)
    with pytest.raises(ReferenceError, match=said):
        by_identities(tmp_path, tmp_path / "table.txt")
    with pytest.raises(ReferenceError, match=r"gone\.txt cannot be read"):
        by_identities(tmp_path, tmp_path / "gone.txt")


def test_folders_without_images(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(ReferenceError, match="holds no folders of images"):
        by_folder(tmp_path)
    with pytest.raises(ReferenceError, match="holds no images"):
        unlabelled(tmp_path)
    with pytest.raises(ReferenceError, match="gone is no folder"):
        by_folder(tmp_path / "gone")


def test_what_cannot_be_used_is_left_out_and_listed(images: Path, tmp_path: Path) -> None:
    (images / "person 0" / "00.png").write_bytes(b"no picture")
    whole = (images / "person 0" / "01.png").read_bytes()
    (images / "person 0" / "01.png").write_bytes(whole[: len(whole) // 2])
    paint(images / "person 0" / "02.png", np.zeros(3, np.uint8))
    (images / "nobody").mkdir()
    (images / "nobody" / "x.jpg").write_bytes(b"")
    built = build(by_folder(images), tmp_path / "work")
    assert set(built.left_out) == {
        "nobody/x.jpg", "person 0/00.png", "person 0/01.png", "person 0/02.png"
    }  # fmt: skip
    assert built.left_out["person 0/00.png"] == "no image of a known kind"
    assert built.left_out["person 0/02.png"] == "too dark"
    assert built.reference.counts.tolist() == [EACH - 3] + [EACH] * (PEOPLE - 1)
    assert built.empty == ("nobody",)


def test_names_that_are_no_text(tmp_path: Path) -> None:
    odd = tmp_path / "images" / os.fsdecode(b"caf\xe9 \n")
    paint(odd / "a.png", np.array([9, 8, 7], np.uint8))
    (odd / "b.png").write_bytes(b"x")
    built = build(by_folder(tmp_path / "images"), tmp_path / "work")
    assert built.reference.labels == ("caf\\xe9 \\n",)
    assert list(built.left_out) == ["caf\\xe9 \\n/b.png"]
    saved(built, tmp_path / "set.safetensors")
    assert load_reference(tmp_path / "set.safetensors").labels == built.reference.labels


def test_a_file_that_is_listed_but_missing(tmp_path: Path) -> None:
    paint(tmp_path / "a.png", np.array([9, 8, 7], np.uint8))
    (tmp_path / "table.txt").write_text("a.png 1\nb.png 2\n")
    built = build(by_identities(tmp_path, tmp_path / "table.txt"), tmp_path / "work")
    assert built.left_out == {"b.png": "there is no such file"}
    assert (built.reference.labels, built.empty) == (("1",), ("2",))


def test_nothing_usable_says_why(tmp_path: Path) -> None:
    paint(tmp_path / "images" / "a" / "b.png", np.zeros(3, np.uint8))
    gallery = by_folder(tmp_path / "images")
    for dimension in (3, None):
        with pytest.raises(ReferenceError, match=r"can be used; a/b\.png: too dark"):
            build(gallery, tmp_path / "work", MeanColour(dimension=dimension))


def test_large_pictures_are_shrunk_and_turned_upright(tmp_path: Path) -> None:
    from monitor.diversity.pictures import MOST_SIDE, read_picture

    picture = Image.new("L", (MOST_SIDE * 2, MOST_SIDE))
    exif = picture.getexif()
    exif[0x0112] = 6  # a camera held upright
    picture.save(tmp_path / "large.jpg", exif=exif)
    assert read_picture(tmp_path / "large.jpg").shape == (3, MOST_SIDE, MOST_SIDE // 2)


def test_grey_of_16_bits_keeps_its_shades_and_of_32_is_refused(tmp_path: Path) -> None:
    from monitor.diversity.pictures import read_picture

    ramp = np.linspace(0, 65535, 256).astype(np.uint16).reshape(16, 16)
    Image.fromarray(ramp).save(tmp_path / "ramp.png")
    shown = read_picture(tmp_path / "ramp.png")
    assert np.array_equal(shown, np.broadcast_to(np.arange(256).reshape(16, 16), (3, 16, 16)))
    for dtype in (np.float32, np.int32):
        Image.fromarray(ramp.astype(dtype)).save(tmp_path / "deep.tif")
        with pytest.raises(ImageError, match="32 bits"):
            read_picture(tmp_path / "deep.tif")


def test_linked_folders_are_folders(images: Path, tmp_path: Path) -> None:
    linked = tmp_path / "linked"
    linked.mkdir()
    for person in (0, 1):
        (linked / f"person {person}").symlink_to(images / f"person {person}")
    (linked / "round").symlink_to(linked)
    (images / "person 0" / "back").symlink_to(images / "person 0")
    gallery = by_folder(linked)
    assert len(gallery.files) == 2 * EACH
    assert gallery.labels == ("person 0", "person 1")
    assert build(gallery, tmp_path / "work").reference.counts.tolist() == [EACH] * 2


class Stop(Exception):
    """Stands for a kill."""


@pytest.mark.parametrize("after", [0, BATCH, 3 * BATCH])
@pytest.mark.parametrize("torn", [0, 5])
def test_a_build_that_was_stopped_goes_on(
    images: Path, tmp_path: Path, after: int, torn: int
) -> None:
    (images / "person 0" / "00.png").write_bytes(b"no picture")
    gallery, folder = by_folder(images), tmp_path / "work"
    expected = saved(build(gallery, tmp_path / "other"), tmp_path / "set.safetensors")

    def stop(done: int) -> None:
        if done >= after:
            raise Stop

    with pytest.raises(Stop):
        build(gallery, folder, on_progress=stop)
    for name in (FEATURES, JOURNAL):
        with (folder / name).open("ab") as file:
            file.write(b"{" * torn)
    again = MeanColour()
    told: list[int] = []
    built = build(gallery, folder, again, on_progress=told.append)
    assert saved(built, tmp_path / "set.safetensors") == expected
    assert (told[0], told[-1]) == (after, len(gallery.files))
    assert again.seen == len(gallery.files) - max(after, 1)
    assert list(built.left_out) == ["person 0/00.png"]


def test_rows_that_a_crash_lost_are_made_again(images: Path, tmp_path: Path) -> None:
    gallery, folder = by_folder(images), tmp_path / "work"
    expected = saved(build(gallery, folder), tmp_path / "set.safetensors")
    os.truncate(folder / FEATURES, 2 * BATCH * 3 * 4 - 1)
    again = MeanColour()
    assert saved(build(gallery, folder, again), tmp_path / "set.safetensors") == expected
    assert again.seen == len(gallery.files) - BATCH


@pytest.mark.parametrize("lost", [b"\0" * 40, b"[]", b"{}", b"null"])
def test_lines_that_a_crash_spoilt_are_made_again(
    images: Path, tmp_path: Path, lost: bytes
) -> None:
    gallery, folder = by_folder(images), tmp_path / "work"
    expected = saved(build(gallery, folder), tmp_path / "set.safetensors")
    lines = (folder / JOURNAL).read_bytes().splitlines(keepends=True)
    (folder / JOURNAL).write_bytes(b"".join([lines[0], lost + b"\n", *lines[2:]]))
    again = MeanColour()
    assert saved(build(gallery, folder, again), tmp_path / "set.safetensors") == expected
    assert again.seen == len(gallery.files) - BATCH


@pytest.mark.parametrize("change", ["image", "more", "embedder", "plan"])
def test_what_was_made_of_something_else_is_not_taken_over(
    images: Path, tmp_path: Path, change: str
) -> None:
    folder = tmp_path / "work"
    build(by_folder(images), folder)
    again = MeanColour(sha256="cd" * 32) if change == "embedder" else MeanColour()
    if change in ("image", "more"):
        file = "00.png" if change == "image" else "new.png"
        paint(images / "person 0" / file, np.array([1, 2, 3], np.uint8), (30, 20))
    if change == "plan":
        (folder / PLAN).write_text("{")
    build(by_folder(images), folder, again)
    assert again.seen == len(by_folder(images).files)


def test_killed_by_the_system_it_goes_on(images: Path, tmp_path: Path) -> None:
    """A process is killed with SIGKILL while it embeds; its lock goes with it."""
    script = textwrap.dedent(f"""
        import sys, time
        from pathlib import Path
        from tests.diversity.test_building import MeanColour, build, by_folder
        class Slow(MeanColour):
            def features(self, samples):
                if self.seen > 40:
                    Path({str(tmp_path / "halfway")!r}).touch()
                    time.sleep(60)
                return super().features(samples)
        build(by_folder(Path({str(images)!r})), Path({str(tmp_path / "work")!r}), Slow())
    """)
    child = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT)
    try:
        deadline = time.monotonic() + 60
        while not (tmp_path / "halfway").exists() and time.monotonic() < deadline:
            assert child.poll() is None
            time.sleep(0.02)
        with pytest.raises(ReferenceError, match="another build is at work"):
            build(by_folder(images), tmp_path / "work")
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait(10)
    again = MeanColour()
    built = build(by_folder(images), tmp_path / "work", again)
    assert again.seen < len(by_folder(images).files)
    whole = build(by_folder(images), tmp_path / "other")
    assert saved(built, tmp_path / "a.safetensors") == saved(whole, tmp_path / "b.safetensors")


def test_modes_are_found_without_labels(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    centres = np.array([[200, 20, 20], [20, 200, 20], [20, 20, 200]])
    for i in range(90):
        colour = (centres[i % 3] + rng.integers(-9, 10, 3)).astype(np.uint8)
        paint(tmp_path / "images" / f"{rng.integers(1 << 40)}.png", colour)
    (tmp_path / "images" / "bad.png").write_bytes(b"x")
    gallery = unlabelled(tmp_path / "images")
    built = build(gallery, tmp_path / "work", clusters=3)
    assert built.reference.labels == ("cluster 1", "cluster 2", "cluster 3")
    assert built.reference.counts.tolist() == [30, 30, 30]
    found = built.reference.centroids[np.argsort(-built.reference.centroids, axis=0)[0]]
    np.testing.assert_allclose(found, centres, atol=5)
    assert list(built.left_out) == ["bad.png"]
    again = build(gallery, tmp_path / "other", clusters=3)
    assert saved(again, tmp_path / "a.safetensors") == saved(built, tmp_path / "b.safetensors")


def test_more_modes_than_images(images: Path, tmp_path: Path) -> None:
    with pytest.raises(ReferenceError, match="115 images cannot be 116 modes"):
        build(unlabelled(images), tmp_path / "work", clusters=PEOPLE * EACH + 1)


def test_many_identities_need_little_memory(tmp_path: Path) -> None:
    """CelebA's 10,177 identities, as means of features that lie on disk."""
    import tracemalloc

    from monitor.diversity.building import _sums

    dimension, identities, count = 512, 10_177, 40_000
    features = np.memmap(tmp_path / "f", np.float32, "w+", shape=(count, dimension))
    features[:, 0] = np.arange(count) % 7
    modes = np.arange(count) % identities
    tracemalloc.start()
    try:
        sums, counts = _sums(features, np.arange(count), modes, identities, normalised=False)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 128 * 2**20
    expected = np.bincount(modes, weights=np.arange(count) % 7, minlength=identities)
    np.testing.assert_array_equal(sums[:, 0], expected)
    assert counts.sum() == count
