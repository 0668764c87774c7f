"""The batched cascade against facenet-pytorch's own, one image at a time."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from facenet_pytorch import MTCNN
from numpy.typing import NDArray
from PIL import Image
from skimage.data import astronaut

from monitor.quality.cascade import BYTES_PER_CROP, OUTPUT_SIDE, Cascade, _on_image
from tests.quality.conftest import resized

Images = NDArray[np.uint8]
Floats = NDArray[np.float32]


def facenet(images: Images) -> tuple[Floats, Floats]:
    """Highest probability per image and landmarks of that face; a call per image mixes none."""
    detector = MTCNN(keep_all=True)
    probability = np.zeros(len(images), np.float32)
    landmarks = np.full((len(images), 5, 2), np.nan, np.float32)
    for i in range(len(images)):
        _, probabilities, points = detector.detect(images[i : i + 1], landmarks=True)
        if points[0] is not None:
            best = int(np.argmax(probabilities[0]))
            probability[i], landmarks[i] = probabilities[0][best], points[0][best]
    return probability, landmarks


def batched(images: Images, device: str = "cpu", max_bytes: int = 2**27) -> tuple[Floats, Floats]:
    cascade = Cascade(torch.device(device), max_bytes)
    found, landmarks = cascade(torch.from_numpy(images).to(device))
    return found.cpu().numpy(), landmarks.cpu().numpy()


def faces_and_others(lfw: Images, side: int) -> Images:
    return resized(lfw[88:112], side)


def noise(lfw: Images, side: int) -> Images:
    return np.random.default_rng(side).integers(0, 256, (8, side, side, 3)).astype(np.uint8)


def noisy_faces(lfw: Images, side: int) -> Images:
    faces = resized(lfw[:15], side)
    spread = np.random.default_rng(side).normal(0, 50, faces.shape)
    return np.clip(faces + spread, 0, 255).astype(np.uint8)


def shifted_faces(lfw: Images, side: int) -> Images:
    return np.roll(resized(lfw[40:55], side), (side // 3, side // 4), axis=(1, 2))


def blank(lfw: Images, side: int) -> Images:
    values = np.array([0, 127, 255], np.uint8)
    return np.broadcast_to(values[:, None, None, None], (3, side, side, 3)).copy()


def generated(lfw: Images, side: int) -> Images:
    """Draws from a Gaussian through the faces: half-made faces, as a GAN on its way gives them."""
    faces = lfw[:100].reshape(100, -1).astype(np.float64)
    centre = faces.mean(axis=0)
    shares = np.random.default_rng(side).normal(0, 0.15, (16, 100))
    drawn = centre + shares @ (faces - centre)
    return resized(np.clip(drawn, 0, 255).astype(np.uint8).reshape(-1, *lfw.shape[1:]), side)


KINDS = (faces_and_others, noise, noisy_faces, shifted_faces, blank, generated)
DEVICES = [
    "cpu",
    pytest.param(
        "cuda",
        marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
    ),
]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("side", [32, 64, 128, 256])
@pytest.mark.parametrize("kind", KINDS)
def test_agrees_with_facenet(
    lfw: Images, kind: Callable[[Images, int], Images], side: int, device: str
) -> None:
    images = kind(lfw, side)
    probability, landmarks = batched(images, device)
    expected, expected_landmarks = facenet(images)
    np.testing.assert_array_equal(probability > 0, expected > 0)
    assert np.abs(probability - expected).max() <= 1e-5
    np.testing.assert_array_equal(np.isnan(landmarks), np.isnan(expected_landmarks))
    found = expected > 0
    if kind is faces_and_others and side >= 64:
        assert found.sum() == 12
    # Where two boxes tie, facenet-pytorch leaves to an unstable sort which landmarks it gives.
    off = np.abs(landmarks[found] - expected_landmarks[found]).max(axis=(1, 2), initial=0) > 1e-2
    assert off.sum() <= 0.15 * len(images)


def test_agrees_on_pictures_that_are_not_square() -> None:
    picture = astronaut()  # type: ignore[no-untyped-call]
    images = np.stack([picture[y : y + 240, 150:310] for y in (0, 20, 200)])
    probability, landmarks = batched(images)
    expected, expected_landmarks = facenet(images)
    assert (expected > 0).tolist() == [True, True, False]
    assert np.abs(probability - expected).max() <= 1e-5
    np.testing.assert_allclose(landmarks, expected_landmarks, atol=1e-2)


def test_agrees_on_a_large_picture() -> None:
    picture = Image.fromarray(astronaut())  # type: ignore[no-untyped-call]
    images = np.array(picture.resize((1024, 1024), Image.Resampling.BILINEAR))[None]
    probability, landmarks = batched(images)
    expected, expected_landmarks = facenet(images)
    assert expected[0] > 0.99
    assert np.abs(probability - expected).max() <= 1e-5
    np.testing.assert_allclose(landmarks, expected_landmarks, atol=1e-2)


def test_images_do_not_touch_each_other(lfw: Images) -> None:
    images = resized(lfw[70:110], 64)
    probability, landmarks = batched(images)
    for i in range(0, len(images), 13):
        alone, alone_landmarks = batched(
            images[i : i + 1], max_bytes=7 * BYTES_PER_CROP[OUTPUT_SIDE]
        )
        np.testing.assert_allclose(alone, probability[i : i + 1], atol=1e-6)
        np.testing.assert_allclose(alone_landmarks, landmarks[i : i + 1], atol=1e-2)


def test_candidates_off_the_image_are_dropped() -> None:
    table = torch.zeros(1, 65, 65, 3, dtype=torch.int32)
    boxes = torch.tensor([[70.0, 5, 80, 15], [5.0, 5, 15, 15], [5.0, -20, 15, -10]])
    image, kept = _on_image(table, torch.zeros(3, dtype=torch.long), boxes)
    assert kept.tolist() == [[5, 5, 15, 15]]
    assert len(image) == 1
