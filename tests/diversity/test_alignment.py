"""Five-point alignment against insightface and OpenCV."""

import cv2
import numpy as np
import pytest
from insightface.utils.face_align import norm_crop
from numpy.typing import NDArray
from skimage.data import astronaut

from monitor.diversity import alignment
from monitor.diversity.alignment import CROP_SIZE, TEMPLATE
from monitor.errors import ImageError

#: skimage deprecates the call that insightface's `estimate_norm` makes.
legacy_skimage = pytest.mark.filterwarnings("ignore:`estimate` is deprecated:FutureWarning")


def align(images: NDArray[np.uint8], landmarks: NDArray[np.floating]) -> NDArray[np.uint8]:
    """The crops as an array."""
    return alignment.align(images, landmarks).numpy()


def picture(size: int) -> NDArray[np.uint8]:
    """(size, size, 3) uint8 RGB."""
    original = np.asarray(astronaut())  # type: ignore[no-untyped-call]
    image = cv2.resize(original, (size, size), interpolation=cv2.INTER_AREA)
    return image.astype(np.uint8)


def faces_at(size: int, count: int) -> NDArray[np.float32]:
    """(count, 5, 2) plausible landmarks, some partly outside of the image."""
    rng = np.random.default_rng(size)
    offsets = (TEMPLATE - CROP_SIZE / 2) @ np.array([1, 1j]) * size / CROP_SIZE
    turn = rng.uniform(0.4, 1.4, (count, 1)) * np.exp(1j * rng.uniform(-0.7, 0.7, (count, 1)))
    points = size * (0.5 + 0.5j) + turn * offsets
    landmarks = np.stack([points.real, points.imag], axis=-1)
    return (landmarks + rng.normal(0, size / 30, landmarks.shape)).astype(np.float32)


@legacy_skimage
@pytest.mark.parametrize("size", [32, 64, 112, 300, 1024])
def test_agrees_with_insightface(size: int) -> None:
    image, landmarks = picture(size), faces_at(size, 12)
    crops = align(np.repeat(image[None], 12, axis=0), landmarks)
    for crop, points in zip(crops, landmarks, strict=True):
        difference = np.abs(crop.astype(int) - norm_crop(image, points))
        assert difference.mean() <= 1


def test_a_face_on_the_template_stays_as_it_is() -> None:
    image = picture(CROP_SIZE)
    np.testing.assert_array_equal(align(image[None], TEMPLATE[None])[0], image)


@pytest.mark.parametrize("size", [32, 64, 300])
def test_without_landmarks_the_whole_image_is_resized(size: int) -> None:
    image = picture(size)
    crop = align(image[None], np.full((1, 5, 2), np.nan))[0].astype(int)
    assert np.abs(crop - cv2.resize(image, (CROP_SIZE, CROP_SIZE))).max() <= 1


@pytest.mark.parametrize("value", [np.nan, np.inf, 7.0, 7.1])
def test_points_that_fix_no_transform_count_as_no_face(value: float) -> None:
    image = picture(64)[None]
    whole = align(image, np.full((1, 5, 2), np.nan))
    np.testing.assert_array_equal(align(image, np.full((1, 5, 2), value)), whole)


def test_one_missing_point_leaves_no_face() -> None:
    landmarks = faces_at(64, 1)
    landmarks[0, 3, 1] = np.nan
    image = picture(64)[None]
    np.testing.assert_array_equal(align(image, landmarks), align(image, np.full((1, 5, 2), np.nan)))


def test_chunks_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    images, landmarks = np.repeat(picture(48)[None], 7, axis=0), faces_at(48, 7)
    landmarks[2] = np.nan
    together = align(images, landmarks)
    monkeypatch.setattr(alignment, "_CHUNK_IMAGES", 3)
    np.testing.assert_array_equal(align(images, landmarks), together)


def test_views_and_read_only_images_are_taken() -> None:
    image = picture(48)[None]
    frozen = np.frombuffer(image.tobytes(), np.uint8).reshape(image.shape)
    landmarks = faces_at(48, 1)
    np.testing.assert_array_equal(align(frozen, landmarks), align(image, landmarks))
    flipped = align(image[:, :, ::-1], landmarks)
    np.testing.assert_array_equal(flipped, align(image[:, :, ::-1].copy(), landmarks))


def test_an_empty_batch_gives_no_crops() -> None:
    crops = align(np.zeros((0, 32, 32, 3), np.uint8), np.zeros((0, 5, 2)))
    assert crops.shape == (0, CROP_SIZE, CROP_SIZE, 3)


@pytest.mark.parametrize(
    ("images", "landmarks", "message"),
    [
        (np.zeros((2, 32, 32), np.uint8), np.zeros((2, 5, 2)), r"shape \(2, 32, 32\)"),
        (np.zeros((2, 32, 32, 1), np.uint8), np.zeros((2, 5, 2)), r"\(N, H, W, 3\)"),
        (np.zeros((2, 32, 0, 3), np.uint8), np.zeros((2, 5, 2)), r"\(N, H, W, 3\)"),
        (np.zeros((2, 32, 32, 3), np.float32), np.zeros((2, 5, 2)), "float32"),
        (np.zeros((2, 32, 32, 3), np.uint8), np.zeros((1, 5, 2)), r"give \(2, 5, 2\)"),
    ],
)
def test_other_shapes_are_refused(
    images: NDArray[np.uint8], landmarks: NDArray[np.float64], message: str
) -> None:
    with pytest.raises(ImageError, match=message):
        align(images, landmarks)
