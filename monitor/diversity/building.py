"""A gallery to a reference set: the mean feature of each mode (SQD paper, eq 7)."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from monitor.diversity.clusters import cluster, compacted
from monitor.diversity.embedding import Embedded, embed_gallery
from monitor.diversity.feature_sample import FeatureSample
from monitor.diversity.gallery import Gallery
from monitor.diversity.reference import ReferenceSet, unit_length
from monitor.errors import ReferenceError
from monitor.protocol import Embedder

#: Features in memory at a time.
ROWS = 4096


@dataclass(frozen=True, slots=True)
class Built:
    """A reference set, and what did not go into it.

    Attributes:
        reference: the set.
        left_out: why, by file.
        empty: labels of modes of which no image was left.
        unaligned: images that the embedder could not align, and took whole.
    """

    reference: ReferenceSet
    left_out: dict[str, str] = field(default_factory=dict)
    empty: tuple[str, ...] = ()
    unaligned: int = 0


def build_from_gallery(
    name: str,
    gallery: Gallery,
    embedder: Embedder,
    folder: Path,
    *,
    normalised: bool = True,
    clusters: int = 0,
    on_progress: Callable[[int], None] = lambda done: None,
) -> Built:
    """Build a reference set; only running sums of each mode are in memory.

    Args:
        name: of the set.
        gallery: the images; their modes where it knows them.
        embedder: makes the features.
        folder: keeps them on the way, so that a killed build goes on (`embedding.workspace`).
        normalised: whether features are scaled to length 1 first.
        clusters: modes to be found among images without labels.
        on_progress: told how many images are embedded.

    Raises:
        ReferenceError: no image can be used, or there are fewer than modes to be found.
    """
    found = embed_gallery(gallery, embedder, folder, on_progress)
    kept = _kept(found)
    if gallery.modes is None:
        rows = compacted(found.features, kept, normalised, folder / "kept.f32")
        modes = np.full(len(found.features), -1)
        modes[kept] = cluster(rows, clusters)
        labels = tuple(f"cluster {i}" for i in range(1, clusters + 1))
    else:
        modes, labels = np.array(gallery.modes), gallery.labels
    sums, counts = _sums(found.features, kept, modes, len(labels), normalised)
    there = counts > 0
    reference = ReferenceSet(
        name,
        (sums[there] / counts[there, None]).astype(np.float32),
        counts[there],
        tuple(np.array(labels, object)[there]),
        embedder.name,
        embedder.sha256,
        normalised,
        _some(found.features, kept, normalised),
    )
    empty = () if gallery.modes is None else tuple(np.array(labels, object)[~there])
    return Built(reference, found.left_out, empty, found.unaligned)


def _kept(found: Embedded) -> NDArray[np.int64]:
    """Rows that hold a feature."""
    starts = range(0, len(found.features), ROWS)
    whole = [np.isfinite(found.features[i : i + ROWS]).all(axis=1) for i in starts]
    rows = np.flatnonzero(np.concatenate(whole))
    if not len(rows):
        raise ReferenceError("no image has a feature")
    return rows


def _sums(
    features: NDArray[np.float32],
    kept: NDArray[np.int64],
    modes: NDArray[np.int64],
    count: int,
    normalised: bool,
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """(m, d) sums of each mode's features in float64, and (m,) how many there are."""
    sums = np.zeros((count, features.shape[1]))
    for i in range(0, len(kept), ROWS):
        rows = kept[i : i + ROWS]
        part = unit_length(features[rows]) if normalised else features[rows]
        np.add.at(sums, modes[rows], part.astype(np.float64))
    return sums, np.bincount(modes[kept], minlength=count)


def _some(
    features: NDArray[np.float32], kept: NDArray[np.int64], normalised: bool
) -> NDArray[np.float32] | None:
    """Those that the set keeps."""
    some = FeatureSample()
    for i in range(0, len(kept), ROWS):
        part = features[kept[i : i + ROWS]]
        some.add(unit_length(part) if normalised else part)
    return some.kept
