"""Angles on a GPU that is not there: sums are formed on it."""

import numpy as np
import torch

from monitor.stability import weight_angle
from monitor.stability.block import block_terms
from tests.pretended_gpu import DEVICE, pretended_gpu


def test_sums_are_formed_there() -> None:
    rng = np.random.default_rng(3)
    snapshots = torch.from_numpy(rng.standard_normal((3, 5000)).cumsum(axis=0)).float()
    pairs = (0, 1, 0), (1, 2, 2)
    expected = block_terms(snapshots, *pairs)
    with pretended_gpu():
        there = snapshots.to(DEVICE)
        assert block_terms(there, *pairs) == expected
        assert weight_angle(there[0], there[1]) == weight_angle(snapshots[0], snapshots[1])
