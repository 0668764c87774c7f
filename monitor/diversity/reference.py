"""Reference sets: the mean feature of each identity in the training data (SQD paper, eq 7)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from monitor.diversity.feature_sample import MOST_FEATURES, FeatureSample
from monitor.diversity.shipped import DATA
from monitor.errors import ReferenceError
from monitor.protocol import Bound

if TYPE_CHECKING:
    from monitor.diversity.embedder import Embedder

#: What a file says it is; another number follows when its layout changes.
FORMAT = "sqd-reference-1"
#: Ending of the files.
SUFFIX = ".safetensors"


@dataclass(frozen=True, eq=False)
class ReferenceSet:
    """Modes that generated samples are assigned to.

    Attributes:
        name: as it is asked for and shown.
        centroids: (m, d) float32, f_j of eq 7: the plain mean of a mode's features.
        counts: (m,) int64, images behind each centroid.
        labels: what to call each mode.
        embedder: name of the embedder that made the features.
        embedder_sha256: hash of its ONNX file.
        normalised: whether features have length 1 before the mean and before the nearest mode is
            sought. The paper leaves it open; it is recorded here.
        features: (r, d) float32, some of the features behind the centroids, for D's companions;
            None in sets that keep none.

    Raises:
        ReferenceError: shapes or dtypes disagree, or a centroid is not finite.
    """

    name: str
    centroids: NDArray[np.float32]
    counts: NDArray[np.int64]
    labels: tuple[str, ...]
    embedder: str
    embedder_sha256: str
    normalised: bool = True
    features: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        modes = len(self.labels)
        if self.centroids.ndim != 2 or not (modes == len(self.centroids) == len(self.counts) > 0):
            raise ReferenceError(
                f"reference {self.name!r} has centroids {self.centroids.shape}, counts "
                f"{self.counts.shape} and {modes} labels; give (m, d), (m,) and m of them, m > 0"
            )
        if self.centroids.dtype != np.float32 or self.counts.dtype != np.int64:
            raise ReferenceError(
                f"reference {self.name!r} has {self.centroids.dtype} centroids and "
                f"{self.counts.dtype} counts; give float32 and int64"
            )
        if not np.isfinite(self.centroids).all():
            raise ReferenceError(f"reference {self.name!r} has a centroid that is not finite")
        if self.features is not None:
            self._check_features(self.features)

    def _check_features(self, kept: NDArray[np.float32]) -> None:
        if kept.dtype != np.float32 or kept.shape != (len(kept), self.centroids.shape[1]):
            raise ReferenceError(
                f"reference {self.name!r} keeps {kept.dtype} features {kept.shape}; give float32 "
                f"(r, {self.centroids.shape[1]})"
            )
        if not len(kept) or not np.isfinite(kept).all():
            raise ReferenceError(f"reference {self.name!r} keeps a feature that is not finite")

    @property
    def expected(self) -> NDArray[np.float64]:
        """(m,) share of the samples that each mode should get: the same for all."""
        return np.full(len(self.counts), 1 / len(self.counts))

    def check(self, embedder: Bound) -> None:
        """Refuse an embedder that did not make this set.

        Raises:
            ReferenceError: its file or its dimension is another.
        """
        dimension = self.centroids.shape[1]
        other = embedder.dimension not in (dimension, None)
        if other or embedder.sha256 != self.embedder_sha256:
            raise ReferenceError(
                f"reference {self.name!r} was made with embedder {self.embedder} (d = {dimension}, "
                f"sha256 {self.embedder_sha256[:12]}…), not with {embedder.name} "
                f"(d = {embedder.dimension}, sha256 {embedder.sha256[:12]}…); choose that embedder "
                "or build another reference with `sqd reference build`"
            )

    def prepare(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Features as the centroids' were: (N, d) float32, of length 1 if so recorded."""
        return unit_length(features) if self.normalised else features

    @cached_property
    def sha256(self) -> str:
        """Hash of the file that `save` writes: sets of one name may differ."""
        return hashlib.sha256(self._encoded()).hexdigest()

    def save(self, path: str | Path) -> None:
        """Write one safetensors file, which `load_reference` reads; equal sets, equal bytes."""
        whole = Path(path)
        # Beside it first: whoever reads meanwhile, or after a kill, finds the old set or the new.
        new = whole.with_name(f".{whole.name}.new")
        new.write_bytes(self._encoded())
        new.replace(whole)

    def _encoded(self) -> bytes:
        record = {
            "name": self.name,
            "labels": self.labels,
            "embedder": self.embedder,
            "embedder_sha256": self.embedder_sha256,
            "normalised": self.normalised,
        }
        # One entry: safetensors writes several in random order.
        metadata = {FORMAT: json.dumps(record)}
        arrays: dict[str, NDArray[Any]] = {"centroids": self.centroids, "counts": self.counts}
        if self.features is not None:
            arrays["features"] = self.features
        return save(arrays, metadata)


def load_reference(name_or_path: str | Path, home: str | Path | None = None) -> ReferenceSet:
    """Read a reference set.

    Args:
        name_or_path: ``faces100`` (ships here), a path that ends in ``.safetensors``, or the name
            of a set in ``home/references``.
        home: the monitor's data directory.

    Raises:
        ReferenceError: it is not there or not a reference set.
    """
    path = _locate(str(name_or_path), home)
    if not path.is_file():
        raise ReferenceError(
            f"no reference set at {path}; give faces100, a path to a {SUFFIX} file, or build one "
            "with `sqd reference build`"
        )
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            arrays = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    # The last two are what safetensors raises for a dtype that numpy lacks, such as float8.
    except (OSError, SafetensorError, TypeError, AttributeError) as error:
        raise ReferenceError(f"reference set {path} cannot be read: {error}") from error
    if FORMAT not in metadata:
        raise ReferenceError(f"{path} is not a reference set of format {FORMAT}")
    return _parse(path, metadata[FORMAT], arrays)


def _locate(text: str, home: str | Path | None) -> Path:
    if text == "faces100":
        return DATA / f"faces100{SUFFIX}"
    if text.endswith(SUFFIX) or home is None:
        return Path(text).expanduser()
    return Path(home).expanduser() / "references" / f"{text}{SUFFIX}"


def _parse(path: Path, text: str, arrays: dict[str, Any]) -> ReferenceSet:
    try:
        record = json.loads(text)
        return ReferenceSet(
            name=str(record["name"]),
            centroids=arrays["centroids"],
            counts=arrays["counts"],
            labels=tuple(map(str, record["labels"])),
            embedder=str(record["embedder"]),
            embedder_sha256=str(record["embedder_sha256"]),
            normalised=record["normalised"] is True,
            features=arrays.get("features"),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ReferenceError(f"{path} lacks a part or has a bad one: {error!r}") from error


def build_reference(
    name: str,
    embedder: Embedder,
    crops_by_mode: Iterable[tuple[str, NDArray[np.uint8]]],
    normalised: bool = True,
    keep: int = MOST_FEATURES,
) -> ReferenceSet:
    """Mean feature of each mode (SQD paper, eq 7).

    Args:
        name: of the set.
        embedder: makes the features.
        crops_by_mode: label and (n, 112, 112, 3) uint8 RGB aligned crops of each mode, n ≥ 1; may
            be a generator, so that one mode is in memory at a time.
        normalised: whether features are scaled to length 1 first.
        keep: features kept for D's companions.

    Raises:
        ReferenceError: there is no mode, or one without a crop.
    """
    labels, counts, centroids, some = [], [], [], FeatureSample(keep)
    for label, crops in crops_by_mode:
        if not len(crops):
            raise ReferenceError(f"mode {label!r} has no crops; give each mode at least one")
        features = embedder.embed(crops)
        features = unit_length(features) if normalised else features
        labels.append(label)
        counts.append(len(crops))
        centroids.append(features.mean(axis=0, dtype=np.float64))
        some.add(features)
    return ReferenceSet(
        name,
        np.array(centroids, np.float32),
        np.array(counts, np.int64),
        tuple(labels),
        embedder.name,
        embedder.sha256,
        normalised,
        some.kept,
    )


def unit_length(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n, d) features scaled to length 1."""
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    unit = np.zeros_like(features)
    # A feature of zeros has no direction and stays zero.
    np.divide(features, lengths, out=unit, where=lengths > 0)
    return unit
