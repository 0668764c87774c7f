"""`sqd reference`: from real faces on disk to a set that a worker takes."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage.data import lfw_subset

from monitor.config import load_settings
from monitor.diversity.reference import load_reference
from monitor.store.artifacts import read_modes
from monitor.store.connection import Store
from monitor.store.series import read_series
from monitor.worker.evaluators import load_evaluators
from monitor.worker.loop import Worker
from monitor.worker.samples import SamplesLane
from tests.cli.conftest import Sqd
from tests.cli.test_usage import one_line
from tests.store.posting import Trainer, samples_frame

#: People, with this many pictures of each (the same face, brighter and brighter).
PEOPLE, EACH = 6, 2
#: Identities of CelebA.
IDENTITIES = 10_177
#: Callables of whoever starts the worker: an image is its own feature.
CALLABLES = """
def features(images):
    return images.reshape(len(images), -1) - 127.5

def scores(images):
    return images.mean(axis=(1, 2, 3)) / 255
"""


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder per person, and one file that is no picture."""
    root = tmp_path_factory.mktemp("faces")
    pixels = np.asarray(lfw_subset()[:PEOPLE])  # type: ignore[no-untyped-call]
    for person, face in enumerate(pixels):
        folder = root / f"person {person}"
        folder.mkdir()
        for i in range(EACH):
            levels = (face * 255).clip(0, 240).astype(np.uint8) + np.uint8(15 * i)
            Image.fromarray(levels).save(folder / f"{person}-{i}.png")
    (root / "person 0" / "broken.png").write_bytes(b"none")
    return root


def test_faces_become_a_set_that_a_worker_takes(sqd: Sqd, faces: Path, tmp_path: Path) -> None:
    home = str(tmp_path / "home")
    arguments = ["--images", str(faces), "--embedder", "faces100", "--device", "cpu"]
    result = sqd("reference", "build", "--name", "mine", "--home", home, *arguments)
    assert result.code == 0, result
    assert f"references/mine.safetensors: {PEOPLE} modes, {PEOPLE * EACH} images" in result.out
    assert "1 images were left out" in result.out
    assert "person 0/broken.png: no image of a known kind" in result.out
    assert "images/s" in result.err
    left_out = tmp_path / "home" / "references" / "mine.left-out.txt"
    assert left_out.read_text() == "person 0/broken.png: no image of a known kind\n"
    assert not (tmp_path / "home" / "references" / "mine.build").exists()
    # Each face is nearest to its own mean.
    settings = load_settings(home=home, reference="mine", device="cpu")
    with_ = load_evaluators(settings)
    assert with_.reference is not None
    assert with_.reference.labels == tuple(f"person {p}" for p in range(PEOPLE))
    # The same faces by a table: the same means.
    table = tmp_path / "identity_CelebA.txt"
    files = [f"person {p}/{p}-{i}.png {p}" for p in range(PEOPLE) for i in range(EACH)]
    table.write_text("\n".join(files))
    sqd("reference", "build", "--name", "tabled", "--home", home, *arguments,
        "--identities", str(table))  # fmt: skip
    tabled = load_reference("tabled", home)
    assert tabled.labels == tuple(map(str, range(PEOPLE)))
    np.testing.assert_allclose(tabled.centroids, with_.reference.centroids, atol=1e-5)


def test_a_set_of_celebas_size_on_the_whole_road(
    sqd: Sqd, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two noisy pictures of each of 1000 people: the D of shared/numbers.md."""
    (tmp_path / "callables.py").write_text(CALLABLES)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    rng = np.random.default_rng(8)
    people = rng.integers(8, 248, (IDENTITIES, 12, 12, 3), np.uint8)
    (tmp_path / "images").mkdir()
    for person, pixels in enumerate(people):
        Image.fromarray(pixels).save(tmp_path / "images" / f"{person:06}.png", compress_level=0)
    numbers = rng.permutation(IDENTITIES) + 1
    table = tmp_path / "identity_CelebA.txt"
    table.write_text("".join(f"{i:06}.png {number}\n" for i, number in enumerate(numbers)))
    home, embedder = str(tmp_path / "home"), "python:callables:features"
    built = sqd("reference", "build", "--name", "celeba", "--images", str(tmp_path / "images"),
                "--identities", str(table), "--embedder", embedder, "--device", "cpu",
                "--home", home)  # fmt: skip
    assert f"{IDENTITIES} modes, {IDENTITIES} images" in built.out, built

    settings = load_settings(home=home, reference="celeba", device="cpu", embedder=embedder,
                             quality="python:callables:scores")  # fmt: skip
    worker = Worker(store, SamplesLane(load_evaluators(settings)))
    worker.ready()
    noise = rng.integers(-8, 8, (2000, 12, 12, 3))
    twice = (np.repeat(people[:1000], 2, axis=0) + noise).astype(np.uint8).transpose(0, 3, 1, 2)
    trainer = Trainer(store)
    for part, chunk in enumerate(np.split(twice, 4)):
        trainer.post(samples_frame(chunk, part=part, last=part == 3))
    while worker.step(wait_ms=1):
        pass
    series = read_series(store, "demo", ["D", "D.modes"], None, None)
    assert series["D"].value.item() == pytest.approx(8.7086980590208, abs=1e-9)
    assert series["D.modes"].value.item() == 1000
    modes = read_modes(store, "demo", 0)
    labels = load_reference("celeba", home).labels
    assert labels is not None
    there = {labels[i] for i in np.flatnonzero(modes["counts"])}
    assert there == {str(number) for number in numbers[:1000]}


def test_sets_are_listed_shown_moved_and_deleted(sqd: Sqd, tmp_path: Path) -> None:
    home = ["--home", str(tmp_path / "home")]
    file = tmp_path / "out.safetensors"
    assert sqd("reference", "export", "faces100", str(file), *home).out == f"{file}\n"
    assert "cannot" in one_line(sqd("reference", "import", str(file), "--name", "a/b", *home), 1)
    assert sqd("reference", "import", str(file), "--name", "[red]copy", *home).code == 0
    listed = json.loads(sqd("reference", "list", "--json", *home).out)
    assert [row["name"] for row in listed] == ["faces100", "[red]copy"]
    assert {(row["modes"], row["dimension"], row["embedder"]) for row in listed} == {
        (100, 512, "faces100")
    }
    assert "[red]copy" in sqd("reference", "list", *home).out
    shown = json.loads(sqd("reference", "show", "[red]copy", "--json", *home).out)
    assert shown["embedder_sha256"] == load_reference("faces100").embedder_sha256
    assert len(shown["fullest"]) == 5
    table = sqd("reference", "show", "[red]copy", *home).out
    assert shown["embedder_sha256"] in "".join(table.split())  # however it is wrapped
    assert sqd("reference", "delete", "[red]copy", *home).out == "deleted [red]copy\n"
    line = one_line(sqd("reference", "delete", "[red]copy", *home), 1)
    assert line == "sqd: no set is called '[red]copy'; there are faces100"


def test_a_damaged_set_is_listed_with_its_error(sqd: Sqd, tmp_path: Path) -> None:
    (tmp_path / "references").mkdir()
    (tmp_path / "references" / "bad.safetensors").write_bytes(b"none")
    home = ["--home", str(tmp_path)]
    found = json.loads(sqd("reference", "list", "--json", *home).out)[1]
    assert found["name"] == "bad"
    assert "cannot be read" in found["error"]
    assert "cannot be read" in sqd("reference", "list", *home).out.replace("\n", " ")
    assert "cannot be read" in one_line(sqd("reference", "show", "bad", *home), 1)


def test_ways_to_label_exclude_each_other(sqd: Sqd, tmp_path: Path) -> None:
    result = sqd("reference", "build", "--name", "x", "--images", str(tmp_path), "--by-folder",
                 "--cluster", "3")  # fmt: skip
    assert "give one of --identities, --by-folder and --cluster" in one_line(result, 2)
    result = sqd("reference", "build", "--name", "x", "--images", str(tmp_path), "--cluster", "1")
    assert "--cluster" in one_line(result, 2)


def test_an_embedder_is_trained_and_used(sqd: Sqd, faces: Path, tmp_path: Path) -> None:
    output = tmp_path / "faces.onnx"
    arguments = ["--output", str(output), "--side", "16", "--rounds", "1", "--device", "cpu"]
    result = sqd("reference", "train-embedder", str(faces), *arguments)
    assert result.code == 0, result
    assert f"held-out images are nearest to their own of {PEOPLE} identities" in result.out
    assert "person 0/broken.png: no image of a known kind" in result.out
    assert "rounds/s" in result.err
    assert sorted(path.name for path in tmp_path.glob("*faces*")) == ["faces.onnx"]
    line = one_line(sqd("reference", "train-embedder", str(faces), *arguments), 1)
    assert "must be a new .onnx file" in line
    asked = ["--embedder", f"onnx:{output}", "--home", str(tmp_path / "home"), "--device", "cpu"]
    built = sqd("reference", "build", "--name", "own", "--images", str(faces), *asked)
    assert f"{PEOPLE} modes" in built.out
    assert load_reference("own", tmp_path / "home").embedder == "onnx:faces.onnx"
