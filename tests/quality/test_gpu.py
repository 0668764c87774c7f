"""The cascade on a GPU that is not there: everything stays on it, and counts in whole floats."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from monitor.quality import FaceQuality
from monitor.quality.cascade import Cascade
from monitor.quality.precision import whole_floats
from tests.pretended_gpu import DEVICE, pretended_gpu, without_inference_mode
from tests.quality.conftest import resized


@pytest.fixture(autouse=True)
def _gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(Cascade, "__call__", without_inference_mode(Cascade.__call__))
    with pretended_gpu():
        yield


# A candidate's room for comparisons, and none, which sends crowds to torchvision.
@pytest.mark.parametrize("max_batch_bytes", [0, 1])
def test_it_finds_what_the_cpu_finds(lfw: NDArray[np.uint8], max_batch_bytes: int) -> None:
    images = resized(lfw[95:105], 64)
    found = FaceQuality(DEVICE, max_batch_bytes).detect(images)
    expected = FaceQuality("cpu", max_batch_bytes).detect(images)
    np.testing.assert_array_equal(found.probability, expected.probability)
    np.testing.assert_array_equal(found.landmarks, expected.landmarks)
    assert (found.probability > 0.9).tolist() == [True] * 5 + [False] * 5


def test_windows_lie_where_they_do_on_a_cpu(lfw: NDArray[np.uint8]) -> None:
    """A GPU divides by a number with its reciprocal: 9 / 0.6 is 15, and 14 on a CPU."""
    images = np.full((20, 64, 64, 3), 127, np.uint8)
    for i, face in enumerate(resized(lfw[:20], 24)):
        images[i, 20:44, 17:41] = face
    found, expected = (FaceQuality(device).detect(images) for device in (DEVICE, "cpu"))
    np.testing.assert_array_equal(found.probability, expected.probability)
    assert (expected.probability > 0).sum() >= 10


def precision() -> str:
    settings: Any = torch.backends.cudnn
    chosen: str = settings.conv.fp32_precision
    return chosen


def test_convolutions_are_whole_while_it_looks(
    lfw: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bool] = []
    likeliest = Cascade._likeliest

    def spied(cascade: Cascade, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        whole = torch.get_float32_matmul_precision() == "highest"
        seen.append(whole and precision() == "ieee")
        return likeliest(cascade, images)

    monkeypatch.setattr(Cascade, "_likeliest", spied)
    torch.set_float32_matmul_precision("high")
    try:
        for device in (DEVICE, "cpu"):
            FaceQuality(device).score(resized(lfw[:1], 64))
        assert torch.get_float32_matmul_precision() == "high"
    finally:
        torch.set_float32_matmul_precision("highest")
    # A CPU's threads are not to change what the whole process does.
    assert seen == [True, False]
    assert precision() == "tf32"


def test_so_they_are_where_torch_has_the_old_setting_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    old = SimpleNamespace(allow_tf32=True)
    monkeypatch.setattr(torch.backends, "cudnn", old)
    with whole_floats("cuda:0"):
        assert not old.allow_tf32
    assert old == SimpleNamespace(allow_tf32=True)
