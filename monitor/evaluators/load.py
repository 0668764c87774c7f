"""From what the worker was asked for to its evaluators. A run has no say in it."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from monitor.diversity.embedder import load_embedder as load_arcface
from monitor.diversity.feature_sample import MOST_FEATURES
from monitor.diversity.reference import ReferenceSet
from monitor.errors import EvaluatorError
from monitor.evaluators.callables import CallableFeatures, CallableScores
from monitor.evaluators.classifier import ClassifierScores, NetworkFeatures
from monitor.evaluators.faces import FaceFeatures, FaceFinder, FaceScores
from monitor.evaluators.inception import InceptionFeatures
from monitor.evaluators.network import Network
from monitor.evaluators.patience import Patience
from monitor.evaluators.points import Mixture, PointFeatures, PointScores
from monitor.evaluators.spec import Spec, parse
from monitor.protocol import Embedder, QualityEvaluator


def load_quality(
    text: str, finder: FaceFinder, patience: Patience | None = None
) -> QualityEvaluator:
    """What `text` asks for to compute Q.

    Args:
        text: ``faces``, ``onnx:PATH``, ``python:module:object`` or ``points:FILE.json``.
        finder: finds faces; its device is where networks run.
        patience: times the calls of a Python callable; None waits for ever.

    Raises:
        EvaluatorError: it cannot be had.
    """
    spec = parse(text)
    if spec.kind == "onnx":
        spec.refuse_other("class", "mean", "std")
        network, name = _network(spec, finder), _portable(spec)
        return ClassifierScores(network, name, spec.index("class"))
    if spec.kind:
        spec.refuse_other()
    if spec.kind == "python":
        return CallableScores(spec.target, text, patience or Patience())
    if spec.kind == "points":
        return PointScores(_mixture(spec), _portable(spec))
    if spec.kind:
        raise EvaluatorError(f"{text} makes features and no scores: it is an --embedder")
    return FaceScores(finder)


def load_embedder(text: str, finder: FaceFinder, patience: Patience | None = None) -> Embedder:
    """What `text` asks for to make the features of D.

    Args:
        text: ``onnx:PATH``, ``python:module:object``, ``points:FILE.json``,
            ``inception:WEIGHTS.pth``, or what `monitor.diversity.embedder.load_embedder` takes for
            faces.
        finder: finds faces; its device is where networks run.
        patience: times the calls of a Python callable; None waits for ever.

    Raises:
        EvaluatorError: it cannot be had.
        EmbedderError: the same of a network for faces.
    """
    spec = parse(text)
    if spec.kind == "onnx":
        spec.refuse_other("classes", "mean", "std")
        return NetworkFeatures(_network(spec, finder), _portable(spec))
    if spec.kind:
        spec.refuse_other()
    if spec.kind == "python":
        return CallableFeatures(spec.target, text, patience or Patience())
    if spec.kind == "points":
        return PointFeatures(_mixture(spec), _portable(spec))
    if spec.kind == "inception":
        return InceptionFeatures(_path(spec), _portable(spec), finder.device)
    arcface = load_arcface(text, finder.device, max_gpu_bytes=finder.max_gpu_bytes)
    return FaceFeatures(finder, arcface)


def own_modes(text: str, embedder: Embedder) -> ReferenceSet | None:
    """The modes that an embedder brings along: a classifier's classes, a mixture's Gaussians.

    Raises:
        EvaluatorError: the network does not say how many classes it has.
    """
    spec = parse(text)
    if spec.kind == "points":
        mixture = _mixture(spec)
        centres = mixture.centres.astype(np.float32)
        return _modes(embedder, centres, mixture.labels, mixture.drawn(MOST_FEATURES))
    if spec.kind != "onnx" or "classes" not in spec.options:
        return None
    if embedder.dimension is None:
        raise EvaluatorError(f"{text} does not declare how many classes it has; fix its output")
    # Among unit vectors the nearest to a row is that of its largest number.
    classes = np.eye(embedder.dimension, dtype=np.float32)
    return _modes(embedder, classes, tuple(f"class {k}" for k in range(len(classes))))


def _modes(
    embedder: Embedder,
    centroids: NDArray[np.float32],
    labels: tuple[str, ...],
    features: NDArray[np.float32] | None = None,
) -> ReferenceSet:
    name, counts = embedder.name, np.ones(len(labels), np.int64)
    return ReferenceSet(name, centroids, counts, labels, name, embedder.sha256, False, features)


def _network(spec: Spec, finder: FaceFinder) -> Network:
    scale = spec.numbers("mean", 0), spec.numbers("std", 1)
    return Network(_path(spec), finder.device, *scale, max_gpu_bytes=finder.max_gpu_bytes)


def _mixture(spec: Spec) -> Mixture:
    return Mixture(_path(spec))


def _path(spec: Spec) -> Path:
    return Path(spec.target).expanduser()


def _portable(spec: Spec) -> str:
    """The request without the folders of this machine: its name in points and reference sets."""
    return spec.text.replace(spec.target, Path(spec.target).name, 1)
