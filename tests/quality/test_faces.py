"""FaceQuality on real faces, on what is none, and on what is no image."""

import subprocess
import sys
from threading import current_thread
from typing import Any

import numpy as np
import pytest
import torch
from facenet_pytorch import MTCNN
from numpy.typing import NDArray
from PIL import Image
from skimage.data import astronaut

from monitor.errors import ImageError
from monitor.quality import FaceQuality
from monitor.quality.faces import BYTES_PER_PIXEL
from tests.quality.conftest import FACES, resized

Images = NDArray[np.uint8]


@pytest.mark.parametrize("side", [32, 64])
def test_faces_score_near_one_and_others_zero(quality: FaceQuality, lfw: Images, side: int) -> None:
    scores = quality.score(resized(lfw, side))
    assert scores.dtype == np.float32
    assert scores.shape == (2 * FACES,)
    assert scores[:FACES].mean() > 0.98
    assert scores[FACES:].mean() < 0.01


def test_the_likeliest_face_counts_not_the_largest(quality: FaceQuality, lfw: Images) -> None:
    # The lower third of the large face is hidden, so the small one beside it is likelier.
    scene = np.full((1, 128, 192, 3), 127, np.uint8)
    scene[0, :80, :128] = resized(lfw[:1], 128)[0, :80]
    scene[0, 32:96, 128:] = resized(lfw[10:11], 64)[0]
    _, (largest_first,), _ = MTCNN(keep_all=True).detect(scene, landmarks=True)
    assert largest_first[0] < largest_first[1] - 0.01
    found = quality.detect(scene)
    assert found.probability[0] == pytest.approx(largest_first[1], abs=1e-5)
    assert (found.landmarks[0, :, 0] > 128).all()


def test_landmarks_are_in_the_pixels_of_the_image_given(quality: FaceQuality, lfw: Images) -> None:
    small, large = resized(lfw[:20], 32), resized(lfw[:20], 128)
    in_small, in_large = quality.detect(small), quality.detect(large)
    assert (in_small.probability > 0.9).all()
    difference = (in_small.landmarks + 0.5) * 4 - (in_large.landmarks + 0.5)
    # Two pixels of 32 px images; without the mapping back the error is eight times that.
    assert np.abs(difference).max() < 8
    left_eye, right_eye, nose, left_mouth, _ = np.moveaxis(in_small.landmarks, 1, 0)
    assert (left_eye[:, 0] < right_eye[:, 0]).all()
    assert (left_eye[:, 1] < nose[:, 1]).all()
    assert (nose[:, 1] < left_mouth[:, 1]).all()


def test_a_colour_photograph(quality: FaceQuality) -> None:
    found = quality.detect(astronaut()[None, ::2, ::2])  # type: ignore[no-untyped-call]
    assert found.probability[0] > 0.99
    # The face is around (112, 56) of the 256×256 picture.
    assert np.abs(found.landmarks[0].mean(axis=0) - (112, 56)).max() < 12


@pytest.mark.parametrize("shape", [(12, 12), (20, 90), (64, 64), (97, 71)])
@pytest.mark.parametrize("value", [0, 127, 255])
def test_blank_images_of_any_shape_score_zero(
    quality: FaceQuality, shape: tuple[int, int], value: int
) -> None:
    found = quality.detect(np.full((2, *shape, 3), value, np.uint8))
    assert found.probability.tolist() == [0.0, 0.0]
    assert np.isnan(found.landmarks).all()


def test_noise_scores_within_bounds(quality: FaceQuality) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (40, 64, 64, 3)).astype(np.uint8)
    scores = quality.score(noise)
    assert ((scores == 0) | (scores > 0.7)).all()
    assert (scores <= 1).all()


def test_neither_order_nor_batch_matters(quality: FaceQuality, lfw: Images) -> None:
    images = resized(lfw[60:140], 64)
    order = np.random.default_rng(1).permutation(len(images))
    scores = quality.score(images)
    np.testing.assert_allclose(quality.score(images[order]), scores[order], atol=1e-6)
    pieces = [quality.score(images[:1]), quality.score(images[1:33]), quality.score(images[33:])]
    np.testing.assert_allclose(np.concatenate(pieces), scores, atol=1e-6)


@pytest.mark.parametrize("side", [25, 64])
def test_memory_allowed_changes_no_score(lfw: Images, side: int) -> None:
    images = resized(lfw[80:120], side)
    whole = FaceQuality(max_batch_bytes=2**30).detect(images)
    assert whole.probability[:20].min() > 0.9
    # One image at a time with one candidate at a time; then three images, the last piece shorter.
    for max_bytes in (1, 3 * BYTES_PER_PIXEL * 64 * 64):
        found = FaceQuality(max_batch_bytes=max_bytes).detect(images)
        np.testing.assert_array_equal(found.probability > 0, whole.probability > 0)
        np.testing.assert_allclose(found.probability, whole.probability, atol=1e-6)
        np.testing.assert_allclose(found.landmarks, whole.landmarks, atol=1e-2)


@pytest.mark.parametrize(("side", "largest"), [(32, 5), (64, 5), (128, 1), (512, 1)])
def test_pieces_keep_to_the_memory_allowed(
    quality: FaceQuality, monkeypatch: pytest.MonkeyPatch, side: int, largest: int
) -> None:
    told = FaceQuality(max_batch_bytes=5 * BYTES_PER_PIXEL * 64 * 64 + 1)
    pieces: list[int] = []
    cascade = told._cascade

    def noted(images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        pieces.append(len(images))
        return cascade(images)

    monkeypatch.setattr(told, "_cascade", noted)
    told.score(np.zeros((11, side, side, 3), np.uint8))
    assert max(pieces) == largest
    assert sum(pieces) == 11


def test_images_too_large_for_all_threads_are_looked_at_by_fewer() -> None:
    torch.set_num_threads(3)
    try:
        told = FaceQuality(max_batch_bytes=2 * BYTES_PER_PIXEL * 64 * 64 + 1)
    finally:
        torch.set_num_threads(1)
    groups = {
        side: [
            [part.stop - part.start for part in group]
            for group in told._pieces(np.zeros((5, side, side, 3), np.uint8))
        ]
        for side in (64, 128)
    }
    assert groups == {64: [[1, 1], [1, 1], [1]], 128: [[1]] * 5}
    assert told.score(np.zeros((5, 64, 64, 3), np.uint8)).tolist() == [0] * 5
    assert told.score(np.zeros((0, 64, 64, 3), np.uint8)).shape == (0,)


def test_threads_with_a_core_each_find_what_one_does(
    quality: FaceQuality, lfw: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = resized(lfw[60:120], 64)
    once = quality.detect(images)
    torch.set_num_threads(3)
    try:
        side_by_side = FaceQuality()
        assert torch.get_num_threads() == 3
        seen: list[tuple[int, int, str]] = []
        cascade = side_by_side._cascade

        def noted(piece: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            seen.append((len(piece), torch.get_num_threads(), current_thread().name))
            return cascade(piece)

        monkeypatch.setattr(side_by_side, "_cascade", noted)
        found = side_by_side.detect(images)
    finally:
        torch.set_num_threads(1)
    assert [(count, threads) for count, threads, _ in seen] == [(20, 1)] * 3
    assert all(name.startswith("sqd-quality") for *_, name in seen)
    np.testing.assert_array_equal(found.probability > 0, once.probability > 0)
    np.testing.assert_allclose(found.probability, once.probability, atol=1e-6)
    np.testing.assert_allclose(found.landmarks, once.landmarks, atol=1e-2)


def test_what_a_thread_raises_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(2)
    try:
        quality = FaceQuality()
    finally:
        torch.set_num_threads(1)

    def broken(piece: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        raise RuntimeError("a defect")

    monkeypatch.setattr(quality, "_cascade", broken)
    with pytest.raises(RuntimeError, match="a defect"):
        quality.score(np.zeros((4, 64, 64, 3), np.uint8))


def test_sizes_from_the_smallest_to_a_thousand(quality: FaceQuality) -> None:
    picture = Image.fromarray(astronaut())  # type: ignore[no-untyped-call]
    for side in (12, 13, 100, 333, 1024):
        sized = picture.resize((side, side), Image.Resampling.BILINEAR)
        grey = np.repeat(np.asarray(sized.convert("L"))[..., None], 3, axis=2)
        found = quality.detect(np.stack([np.asarray(sized), grey]))
        assert (found.probability > 0.95).tolist() == [side >= 100] * 2, side


def test_strided_and_readonly_images(quality: FaceQuality, lfw: Images) -> None:
    images = resized(lfw[:4], 64)
    images.flags.writeable = False
    mirrored = images[:, :, ::-1]
    np.testing.assert_array_equal(quality.score(mirrored), quality.score(mirrored.copy()))


def test_no_images_have_no_scores(quality: FaceQuality) -> None:
    found = quality.detect(np.zeros((0, 32, 32, 3), np.uint8))
    assert found.probability.shape == (0,)
    assert found.landmarks.shape == (0, 5, 2)
    assert found.probability.dtype == found.landmarks.dtype == np.float32


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((32, 32, 3), np.uint8), r"\(32, 32, 3\).*4 dimensions"),
        (np.zeros((1, 32, 32, 1), np.uint8), "1 channels"),
        (np.zeros((1, 3, 32, 32), np.uint8), "32 channels"),
        (np.zeros((1, 32, 32, 3), np.float32), "float32, but must be uint8"),
        (np.zeros((1, 11, 32, 3), np.uint8), "11x32.*at least 12"),
        ([[1]], "list, but must be a uint8 array"),
    ],
)
def test_what_is_no_image_is_refused(quality: FaceQuality, images: Any, message: str) -> None:
    with pytest.raises(ImageError, match=message):
        quality.score(images)


def test_settings_define_the_metric(quality: FaceQuality) -> None:
    assert quality.settings == {
        "network": "mtcnn",
        "weights": "facenet-pytorch 2.5.3",
        "min_face_size": 20,
        "thresholds": [0.6, 0.7, 0.7],
        "factor": 0.709,
        "enlarge": "bilinear, uint8, shorter side to 64 px where below",
    }


def test_importing_the_package_needs_no_torch() -> None:
    code = "import sys, monitor.quality; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("room", [1, 3, 100])
def test_a_gpu_with_little_room_gets_smaller_pieces(
    monkeypatch: pytest.MonkeyPatch, lfw: Images, room: int
) -> None:
    images = resized(lfw[:11], 64)
    expected = FaceQuality().detect(images)
    quality = FaceQuality()
    looked: list[int] = []
    cascade = quality._cascade

    def small(piece: torch.Tensor) -> Any:
        if len(piece) > room:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        looked.append(len(piece))
        return cascade(piece)

    monkeypatch.setattr(quality, "_cascade", small)
    found = quality.detect(images)
    # The last digit depends on how many candidates a network gets at once.
    np.testing.assert_allclose(found.probability, expected.probability, atol=1e-6)
    np.testing.assert_allclose(found.landmarks, expected.landmarks, atol=1e-4)
    assert sum(looked) == len(images)
    assert max(looked) <= room


def test_one_image_for_which_there_is_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    quality = FaceQuality()

    def full(piece: torch.Tensor) -> Any:
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(quality, "_cascade", full)
    with pytest.raises(ImageError, match="one image of 80 × 70 px needs more memory than the GPU"):
        quality.score(np.zeros((3, 70, 80, 3), np.uint8))
