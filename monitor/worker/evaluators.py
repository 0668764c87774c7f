"""Loads what a worker evaluates with, before it takes its first job."""

import logging
import math

import torch

from monitor.config import Settings
from monitor.diversity.reference import ReferenceSet, load_reference
from monitor.diversity.session import CPU
from monitor.diversity.zoo import PACKS
from monitor.errors import EvaluatorError, ReferenceError, SettingsError
from monitor.evaluators.faces import FaceFinder
from monitor.evaluators.load import load_embedder, load_quality, own_modes
from monitor.evaluators.patience import Patience
from monitor.protocol import Embedder
from monitor.quality import FaceQuality
from monitor.worker.pipeline import Evaluators

log = logging.getLogger(__name__)

NO_REFERENCE = (
    "no reference set: start the worker with --embedder and --reference "
    "(faces100 ships for the demo; `sqd reference build` makes one from your images)"
)


def choose_device(wanted: str) -> str:
    """The torch device for ``auto``, ``cpu`` or ``cuda:N``.

    Raises:
        SettingsError: the machine does not have it.
    """
    if wanted == "auto":
        return "cuda:0" if torch.cuda.is_available() else "cpu"
    device = torch.device(wanted)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise SettingsError(
            f"device is {wanted!r}, but torch sees {torch.cuda.device_count()} CUDA devices"
        )
    # Much of torch takes no device without a number.
    return f"cuda:{device.index or 0}" if device.type == "cuda" else str(device)


def cap_gpu_memory(device: str, max_bytes: int) -> None:
    """Leave the rest of a GPU to the training beside us: beyond the cap, torch's calls here fail.

    Being a process of its own, the worker has streams of its own too: its work never waits in the
    training's, nor the training's in ours.
    """
    where = torch.device(device)
    if where.type == "cuda":
        total_bytes = torch.cuda.get_device_properties(where).total_memory
        torch.cuda.set_per_process_memory_fraction(min(1.0, max_bytes / total_bytes), where)


def load_evaluators(settings: Settings) -> Evaluators:
    """The evaluators that `settings` ask for.

    What is missing or broken of ``onnx:``, ``python:`` and ``points:`` makes its metric fail with
    the reason; the other metrics go on. Without a reference, D says what is missing.

    Raises:
        MonitorError: a network for faces or a reference that was asked for cannot be had, or
            embedder and reference do not belong together.
    """
    device = choose_device(settings.device)
    cap_gpu_memory(device, settings.max_gpu_bytes)
    faces = FaceQuality(device, settings.max_batch_bytes)
    finder = FaceFinder(faces, device, settings.max_gpu_bytes)
    patience = Patience(settings.evaluator_timeout_s or math.inf)
    quality, failure = None, ""
    try:
        quality = load_quality(settings.quality, finder, patience)
    except EvaluatorError as error:
        failure = str(error)
        log.error("Q will fail: %s", failure)
    embedder, reference, missing = _diversity(settings, finder, patience)
    found = Evaluators(quality, embedder, reference, device, failure, missing, patience)
    _warn_of_cpu(found)
    return found


def _diversity(
    settings: Settings, finder: FaceFinder, patience: Patience
) -> tuple[Embedder | None, ReferenceSet | None, str]:
    """Embedder and reference of D, or why there are none."""
    asked = settings.embedder
    reference = load_reference(settings.reference, settings.home) if settings.reference else None
    if not asked and reference is None:
        return None, None, NO_REFERENCE
    try:
        embedder = load_embedder(asked or _recorded(reference), finder, patience)
        reference = reference or own_modes(asked, embedder)
    except EvaluatorError as error:
        log.error("D will fail: %s", error)
        return None, None, str(error)
    if reference is None:
        return embedder, None, NO_REFERENCE
    reference.check(embedder)
    return embedder, reference, ""


def _recorded(reference: ReferenceSet | None) -> str:
    """The embedder that a reference names, if it is one that everybody may load.

    A reference may come from elsewhere: it must not choose which code or file this worker runs.
    """
    name = reference.embedder if reference else ""
    if reference and name not in ("faces100", *PACKS):
        raise ReferenceError(
            f"reference {reference.name!r} was made with embedder {name}: start the worker with "
            "--embedder and the same one"
        )
    return name


def fallen_back(found: Evaluators) -> list[str]:
    """The networks that run on the CPU though a GPU was asked for."""
    both = [each for each in (found.quality, found.embedder) if each is not None]
    return [each.name for each in both if found.device != "cpu" and each.provider == CPU]


def _warn_of_cpu(found: Evaluators) -> None:
    for name in fallen_back(found):
        log.warning(
            "%s runs on the CPU: onnxruntime has no CUDA provider, or it could not be loaded; "
            "`sqd doctor` says what to do",
            name,
        )
