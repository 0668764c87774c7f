"""Modes of images without labels: k-means over their features, by scikit-learn."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from monitor.diversity.modes import nearest_mode
from monitor.errors import ReferenceError

#: Seed of everything that k-means draws: the same images give the same modes.
SEED = 0
#: Rows of a step of k-means; scikit-learn advises 256 a core or more.
STEP_ROWS = 4096
#: Passes over the features; it stops earlier once the centres rest.
MOST_PASSES = 50
#: First centres tried; the best go on.
STARTS = 3


def cluster(features: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """Mode of each feature, 0 … count − 1; some may have no feature.

    Mini-batch k-means (Sculley 2010) with k-means++ starts and a fixed seed.

    Args:
        features: (n, d) float32, finite; may lie in a file.
        count: modes, 2 … n.

    Returns:
        (n,) int64.

    Raises:
        ReferenceError: there are fewer features than modes, or fewer than two modes.
    """
    if not 2 <= count <= len(features):
        raise ReferenceError(f"{len(features)} images cannot be {count} modes; give 2 … that many")
    from sklearn.cluster import MiniBatchKMeans  # takes a second

    means = MiniBatchKMeans(
        count,
        random_state=SEED,
        batch_size=STEP_ROWS,
        max_iter=MOST_PASSES,
        n_init=STARTS,
        compute_labels=False,
    ).fit(features)
    starts = range(0, len(features), STEP_ROWS)
    centres = means.cluster_centers_
    return np.concatenate([nearest_mode(features[i : i + STEP_ROWS], centres) for i in starts])


def compacted(
    features: NDArray[np.float32], kept: NDArray[np.int64], normalised: bool, path: Path
) -> NDArray[np.float32]:
    """Some rows in a file of their own, for `cluster`, which takes no gaps.

    Args:
        features: (n, d) float32.
        kept: (k,) int64, rows in their order.
        normalised: whether they are scaled to length 1.
        path: of the new file.
    """
    from monitor.diversity.reference import unit_length

    rows = np.memmap(path, np.float32, "w+", shape=(len(kept), features.shape[1]))
    for i in range(0, len(kept), STEP_ROWS):
        part = features[kept[i : i + STEP_ROWS]]
        rows[i : i + STEP_ROWS] = unit_length(part) if normalised else part
    return rows
