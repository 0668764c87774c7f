"""Any ONNX network: what it is fed, whatever its input, and what is refused."""

import hashlib
import math
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper
from PIL import Image

from monitor.errors import EvaluatorError
from monitor.evaluators.network import Network
from tests.evaluators.models import save, save_linear

DRAWN = np.random.default_rng(3)
COLOUR: NDArray[np.uint8] = DRAWN.integers(0, 256, (5, 3, 6, 4), np.uint8)
GREY = COLOUR[:, :1]


def seen(
    path: Path, images: NDArray[np.uint8], shape: list[int | str], **given: Any
) -> NDArray[np.float32]:
    """What a network that only flattens was fed."""
    flat = [helper.make_node("Flatten", ["input"], ["output"])]
    return Network(save(path, flat, shape, ["N", "d"]), "cpu", **given).run(images)


def test_pixels_become_zero_to_one(tmp_path: Path) -> None:
    found = seen(tmp_path / "n.onnx", COLOUR, ["N", 3, "H", "W"])
    np.testing.assert_allclose(found, COLOUR.reshape(5, -1) / 255, atol=1e-7)


def test_mean_and_std_of_each_channel(tmp_path: Path) -> None:
    mean, std = (0.5, 0.25, 0.0), (0.5, 2.0, 1.0)
    found = seen(tmp_path / "n.onnx", COLOUR, ["N", 3, 6, 4], mean=mean, std=std)
    scaled = COLOUR / 255 - np.array(mean)[:, None, None]
    expected = scaled / np.array(std)[:, None, None]
    np.testing.assert_allclose(found, expected.reshape(5, -1), atol=1e-6)


def test_grey_is_repeated_and_colour_made_grey_as_pillow_does(tmp_path: Path) -> None:
    repeated = seen(tmp_path / "c.onnx", GREY, ["N", 3, 6, 4]).reshape(5, 3, 6, 4)
    np.testing.assert_array_equal(repeated, np.repeat(repeated[:, :1], 3, axis=1))
    grey = seen(tmp_path / "g.onnx", COLOUR, ["N", 1, 6, 4]).reshape(5, 6, 4) * 255
    for image, one in zip(COLOUR, grey, strict=True):
        pillow = np.asarray(Image.fromarray(image.transpose(1, 2, 0)).convert("L"), np.float32)
        np.testing.assert_allclose(one, pillow, atol=1.01)


def test_images_are_resized_as_pillow_does(tmp_path: Path) -> None:
    smooth = np.tile(np.linspace(0, 250, 32).astype(np.uint8), (2, 1, 32, 1))
    found = seen(tmp_path / "n.onnx", smooth, ["N", 1, 8, 12]).reshape(2, 8, 12) * 255
    pillow = Image.fromarray(smooth[0, 0]).resize((12, 8), Image.Resampling.BILINEAR)
    np.testing.assert_allclose(found[0], np.asarray(pillow, np.float32), atol=1.01)


def test_channels_last(tmp_path: Path) -> None:
    found = seen(tmp_path / "n.onnx", COLOUR, ["N", 6, 4, 3])
    np.testing.assert_allclose(found, COLOUR.transpose(0, 2, 3, 1).reshape(5, -1) / 255, atol=1e-7)


def test_uint8_networks_get_the_pixels(tmp_path: Path) -> None:
    cast = [
        helper.make_node("Cast", ["input"], ["cast"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["cast"], ["output"]),
    ]
    path = save(tmp_path / "n.onnx", cast, ["N", 3, 6, 4], ["N", 72], kind=TensorProto.UINT8)
    np.testing.assert_array_equal(Network(path, "cpu").run(COLOUR), COLOUR.reshape(5, -1))


def test_float_samples_are_not_touched(tmp_path: Path) -> None:
    points = DRAWN.normal(size=(7, 2)).astype(np.float32)
    turn = np.array([[0, 1], [-1, 0]], np.float32)
    path = save_linear(tmp_path / "n.onnx", turn, ["N", 2])
    np.testing.assert_allclose(Network(path, "cpu").run(points), points @ turn, atol=1e-6)


@pytest.mark.parametrize("batch", [1, 3, 5])
def test_a_fixed_batch_makes_no_difference(tmp_path: Path, batch: int) -> None:
    matrix = DRAWN.normal(size=(72, 4)).astype(np.float32)
    free = Network(save_linear(tmp_path / "f.onnx", matrix, ["N", 3, 6, 4]), "cpu")
    path = save_linear(tmp_path / "b.onnx", matrix, [batch, 3, 6, 4], declared=[batch, 4])
    np.testing.assert_allclose(Network(path, "cpu").run(COLOUR), free.run(COLOUR), atol=1e-5)


def test_many_samples_run_in_pieces(tmp_path: Path) -> None:
    points = DRAWN.normal(size=(1000, 2)).astype(np.float32)
    path = save_linear(tmp_path / "n.onnx", np.eye(2, dtype=np.float32), ["N", 2])
    np.testing.assert_array_equal(Network(path, "cpu").run(points), points)


def test_maps_of_one_pixel_are_rows(tmp_path: Path) -> None:
    pool = [helper.make_node("GlobalAveragePool", ["input"], ["output"])]
    network = Network(save(tmp_path / "n.onnx", pool, ["N", 3, "H", "W"], ["N", 3, 1, 1]), "cpu")
    assert network.dimension == 3
    np.testing.assert_allclose(network.run(COLOUR), COLOUR.mean(axis=(2, 3)) / 255, atol=1e-6)


def test_its_hash_is_the_files_unless_pixels_are_scaled(tmp_path: Path) -> None:
    path = save_linear(tmp_path / "n.onnx", np.eye(2, dtype=np.float32), ["N", 2])
    plain, same = Network(path, "cpu"), Network(path, "cpu", (0.0,), (1.0, 1.0, 1.0))
    assert plain.sha256 == same.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert Network(path, "cpu", (0.5,), (0.5,)).sha256 != plain.sha256
    assert plain.provider == "CPUExecutionProvider"


def test_weights_beside_the_file_are_hashed_too(tmp_path: Path) -> None:
    hashes = []
    for factor in (1, 2):
        whole = onnx.load(save_linear(tmp_path / "w.onnx", factor * np.eye(300, dtype=np.float32),
                                      ["N", 300]))  # fmt: skip
        (tmp_path / "n.onnx.data").unlink(missing_ok=True)
        onnx.save(whole, tmp_path / "n.onnx", save_as_external_data=True, location="n.onnx.data")
        network = Network(tmp_path / "n.onnx", "cpu")
        hashes.append((network.sha256, hashlib.sha256((tmp_path / "n.onnx").read_bytes())))
        points = DRAWN.normal(size=(2, 300)).astype(np.float32)
        np.testing.assert_allclose(network.run(points), factor * points, atol=1e-6)
    (first, one), (second, two) = hashes
    assert one.digest() == two.digest()
    assert first != second


@pytest.mark.parametrize(
    ("shape", "samples", "said"),
    [
        (["N", 2], COLOUR, r"takes \['N', 2\], no images"),
        (["N", 4, 6, 5], COLOUR, "images have 1 or 3 channels"),
        (["N", 2], np.zeros((3, 5), np.float32), r"n.onnx fails on \(3, 5\): "),
        (["N", 3, 6, 4], np.zeros((3, 5), np.float32), r"n.onnx fails on \(3, 5\): "),
    ],
    ids=["points", "channels", "width", "rank"],
)
def test_samples_that_do_not_fit(
    tmp_path: Path, shape: list[int | str], samples: NDArray[np.float32], said: str
) -> None:
    width = math.prod(side for side in shape if isinstance(side, int))
    path = save_linear(tmp_path / "n.onnx", np.eye(width, dtype=np.float32), shape)
    with pytest.raises(EvaluatorError, match=said) as caught:
        Network(path, "cpu").run(samples)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("operation", "said"),
    [
        ("Identity", r"gives \(5, 3, 6, 4\) for 5 samples; one row"),
        ("Log", "is not finite"),
        ("Slice", r"gives \(5, 0\) for 5 samples; one row"),
    ],
)
def test_outputs_that_are_no_rows(tmp_path: Path, operation: str, said: str) -> None:
    shape: list[int | str] = ["N", 3, "H", "W"]
    nodes = [helper.make_node(operation, ["input"], ["output"])]
    images = COLOUR
    if operation == "Log":
        nodes = [
            helper.make_node("Flatten", ["input"], ["flat"]),
            helper.make_node("Log", ["flat"], ["output"]),
        ]
        images = np.zeros_like(COLOUR)
    if operation == "Slice":
        nodes = [
            helper.make_node("Flatten", ["input"], ["flat"]),
            helper.make_node("Constant", [], ["none"], value_ints=[0]),
            helper.make_node("Constant", [], ["last"], value_ints=[1]),
            helper.make_node("Slice", ["flat", "none", "none", "last"], ["output"]),
        ]
    with pytest.raises(EvaluatorError, match=said):
        Network(save(tmp_path / "n.onnx", nodes, shape, None), "cpu").run(images)


def test_files_that_are_no_network(tmp_path: Path) -> None:
    with pytest.raises(EvaluatorError, match=r"no ONNX file at .*gone\.onnx"):
        Network(tmp_path / "gone.onnx", "cpu")
    (tmp_path / "text.onnx").write_text("hello")
    with pytest.raises(EvaluatorError, match=r"cannot load .*text\.onnx as an ONNX model") as told:
        Network(tmp_path / "text.onnx", "cpu")
    assert "\n" not in str(told.value)
    flat = [helper.make_node("Cast", ["input"], ["output"], to=TensorProto.FLOAT)]
    whole = save(tmp_path / "int.onnx", flat, ["N", 2], ["N", 2], kind=TensorProto.INT64)
    with pytest.raises(EvaluatorError, match=r"takes 1 inputs, the first tensor\(int64\)"):
        Network(whole, "cpu")
    with pytest.raises(EvaluatorError, match="no std 0"):
        Network(whole, "cpu", (0.0,), (0.0,))
