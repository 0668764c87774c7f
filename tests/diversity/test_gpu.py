"""Alignment and nearest modes on a GPU that is not there: everything stays on it."""

import numpy as np
import torch

from monitor.diversity import nearest_mode
from monitor.diversity.alignment import align
from tests.pretended_gpu import DEVICE, OnDevice, pretended_gpu


def test_crops_are_made_there() -> None:
    rng = np.random.default_rng(1)
    images = rng.integers(0, 256, (5, 64, 64, 3), dtype=np.uint8)
    landmarks = rng.uniform(10, 50, (5, 5, 2))
    landmarks[2] = np.nan
    with pretended_gpu():
        crops = align(images, landmarks, DEVICE)
        assert isinstance(crops, OnDevice)
        np.testing.assert_array_equal(crops.cpu(), align(images, landmarks))


def test_nearest_modes_are_found_there() -> None:
    rng = np.random.default_rng(2)
    features, centroids = rng.standard_normal((200, 16)).astype(np.float32), rng.random((9, 16))
    # One more often, so that the second screen is needed.
    centroids[4] = centroids[3]
    expected = nearest_mode(features, centroids)
    with pretended_gpu():
        there = torch.from_numpy(features).to(DEVICE)
        found = nearest_mode(there, centroids)
        assert isinstance(found, OnDevice)
        np.testing.assert_array_equal(found.cpu(), expected)
        np.testing.assert_array_equal(nearest_mode(features, centroids, DEVICE), expected)
