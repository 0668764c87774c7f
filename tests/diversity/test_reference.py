"""Reference sets: means of features, files, and the embedder they belong to."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from safetensors.numpy import save_file
from safetensors.torch import save_file as save_torch_file

from monitor.diversity.embedder import Embedder, load_embedder
from monitor.diversity.reference import (
    FORMAT,
    ReferenceSet,
    build_reference,
    load_reference,
)
from monitor.errors import ReferenceError
from tests.arcface import StandIn

SHA256 = "ab" * 32


class FirstPixels(StandIn):
    """The first four red values of a crop are its feature."""

    def forward(self, crops: NDArray[np.float32]) -> NDArray[np.float32]:
        return crops[:, 0, 0, :4]


EMBEDDER = Embedder("pixels", SHA256, 4, "CPUExecutionProvider", FirstPixels())


def make_set() -> ReferenceSet:
    centroids = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    counts = np.array([5, 1, 2], np.int64)
    return ReferenceSet("three", centroids, counts, ("Ada", "ø/b", ""), "pixels", SHA256, False)


def random_crops(count: int, seed: int) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (count, 112, 112, 3), np.uint8)


@pytest.mark.parametrize("normalised", [True, False])
def test_a_centroid_is_the_plain_mean_of_the_features(normalised: bool) -> None:
    modes = {"a": random_crops(7, 1), "b": random_crops(2, 2)}
    reference = build_reference("two", EMBEDDER, modes.items(), normalised)
    for centroid, crops in zip(reference.centroids, modes.values(), strict=True):
        features = crops[:, 0, :4, 0].astype(np.float64)
        if normalised:
            features /= np.sqrt((features**2).sum(axis=1, keepdims=True))
        np.testing.assert_allclose(centroid, features.sum(axis=0) / len(crops), rtol=1e-6)
    assert reference.labels == ("a", "b")
    assert reference.counts.tolist() == [7, 2]
    assert reference.features is not None
    every = np.concatenate([EMBEDDER.embed(crops) for crops in modes.values()])
    np.testing.assert_array_equal(reference.features, reference.prepare(every))
    assert (reference.embedder, reference.embedder_sha256) == ("pixels", SHA256)
    np.testing.assert_array_equal(reference.expected, [0.5, 0.5])


def test_kept_features_survive_the_file(tmp_path: Path) -> None:
    modes = {"a": random_crops(7, 1), "b": random_crops(2, 2)}
    first = build_reference("two", EMBEDDER, modes.items())
    first.save(tmp_path / "set.safetensors")
    again = load_reference(tmp_path / "set.safetensors").features
    assert again is not None
    assert first.features is not None
    np.testing.assert_array_equal(again, first.features)


def test_features_are_prepared_as_the_centroids_were() -> None:
    features = np.array([[3, 0, 4, 0], [0, 0, 0, 0]], np.float32)
    plain = make_set()
    np.testing.assert_array_equal(plain.prepare(features), features)
    unit = replace(plain, normalised=True).prepare(features)
    np.testing.assert_allclose(unit, np.array([[0.6, 0, 0.8, 0], [0, 0, 0, 0]]), rtol=1e-6)


def test_a_set_without_modes_or_crops_is_refused() -> None:
    with pytest.raises(ReferenceError, match="m > 0"):
        build_reference("none", EMBEDDER, [])
    with pytest.raises(ReferenceError, match="mode 'b' has no crops"):
        build_reference("some", EMBEDDER, [("a", random_crops(1, 0)), ("b", random_crops(0, 0))])


def test_a_file_gives_back_the_set(tmp_path: Path) -> None:
    first = make_set()
    first.save(tmp_path / "set.safetensors")
    second = load_reference(tmp_path / "set.safetensors")
    np.testing.assert_array_equal(second.centroids, first.centroids)
    np.testing.assert_array_equal(second.counts, first.counts)
    assert (
        replace(second, centroids=first.centroids, counts=first.counts).__dict__ == first.__dict__
    )
    second.save(tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == (
        tmp_path / "set.safetensors"
    ).read_bytes()


def test_a_name_is_looked_up_at_home(tmp_path: Path) -> None:
    (tmp_path / "references").mkdir()
    make_set().save(tmp_path / "references" / "mine.safetensors")
    assert load_reference("mine", tmp_path).name == "three"
    with pytest.raises(ReferenceError, match=r"no reference set at .*references/other\.safe"):
        load_reference("other", tmp_path)


def test_the_shipped_set_belongs_to_the_shipped_embedder() -> None:
    reference = load_reference("faces100")
    reference.check(load_embedder("faces100"))
    assert len(reference.labels) == 100
    assert reference.expected.sum() == pytest.approx(1)


@pytest.mark.parametrize("other", [{"sha256": "cd" * 32}, {"dimension": 5}])
def test_another_embedder_is_refused(other: dict[str, object]) -> None:
    make_set().check(EMBEDDER)
    stranger = Embedder(**{**EMBEDDER.__dict__, "name": "stranger", **other})
    with pytest.raises(ReferenceError, match=r"'three' was made with embedder pixels .* stranger"):
        make_set().check(stranger)


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ({"centroids": np.full((3, 4), np.nan, np.float32)}, "not finite"),
        ({"centroids": np.zeros((3, 4))}, "float64 centroids"),
        ({"centroids": np.zeros(3, np.float32)}, r"centroids \(3,\)"),
        ({"counts": np.ones(2, np.int64)}, r"counts \(2,\)"),
        ({"counts": np.ones(3, np.int32)}, "int32 counts"),
        ({"labels": ("a",)}, "1 labels"),
        ({"features": np.zeros((2, 5), np.float32)}, r"features \(2, 5\); give float32 \(r, 4\)"),
        ({"features": np.zeros((2, 4))}, "keeps float64 features"),
        ({"features": np.full((1, 4), np.inf, np.float32)}, "keeps a feature that is not finite"),
        ({"features": np.zeros((0, 4), np.float32)}, "keeps a feature that is not finite"),
    ],
)
def test_parts_that_disagree_are_refused(part: dict[str, object], message: str) -> None:
    with pytest.raises(ReferenceError, match=message):
        ReferenceSet(**{**make_set().__dict__, **part})


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        (None, "not a reference set"),
        ({"format": "pt"}, "not a reference set"),
        ({FORMAT: "[]"}, "bad one"),
        ({FORMAT: '{"name": "x"}'}, "lacks a part"),
        ({FORMAT: "{"}, "bad one"),
    ],
)
def test_other_files_are_refused(
    metadata: dict[str, str] | None, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "other.safetensors"
    save_file({"centroids": np.zeros((1, 4), np.float32)}, path, metadata)
    with pytest.raises(ReferenceError, match=message):
        load_reference(path)


def test_a_dtype_that_numpy_lacks_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "eighth.safetensors"
    save_torch_file({"centroids": torch.zeros(3, 4, dtype=torch.float8_e4m3fn)}, path)
    with pytest.raises(ReferenceError, match="cannot be read"):
        load_reference(path)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(min_value=0), byte=st.integers(0, 255), cut=st.booleans())
def test_a_damaged_file_gives_a_set_or_our_error(
    place: int, byte: int, cut: bool, tmp_path: Path
) -> None:
    path = tmp_path / "set.safetensors"
    make_set().save(path)
    content = bytearray(path.read_bytes())
    place %= len(content)
    damaged = content[:place] if cut else content[:place] + bytes([byte]) + content[place + 1 :]
    path.write_bytes(damaged)
    try:
        reference = load_reference(path)
    except ReferenceError:
        return
    assert np.isfinite(reference.centroids).all()
