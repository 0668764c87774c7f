"""Loads what a worker evaluates with, before it takes its first job."""

import logging

import torch

from monitor.config import Settings
from monitor.diversity.embedder import load_embedder
from monitor.diversity.reference import load_reference
from monitor.errors import SettingsError
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
    return str(device)


def load_evaluators(settings: Settings) -> Evaluators:
    """The evaluators that `settings` ask for; without a reference, D says what is missing.

    Raises:
        MonitorError: an embedder or reference that was asked for cannot be had, or they do not
            belong together.
    """
    device = choose_device(settings.device)
    embedder = load_embedder(settings.embedder, device) if settings.embedder else None
    if not settings.reference:
        return Evaluators(FaceQuality(device), embedder, None, device, NO_REFERENCE)
    reference = load_reference(settings.reference, settings.home)
    embedder = embedder or load_embedder(reference.embedder, device)
    reference.check(embedder)
    log.info("D by %s and %s on %s", embedder.name, reference.name, embedder.provider)
    if device != "cpu" and embedder.provider == "CPUExecutionProvider":
        log.warning(
            "embedder %s runs on the CPU: onnxruntime has no CUDA provider; `sqd doctor` says how "
            "to install it",
            embedder.name,
        )
    return Evaluators(FaceQuality(device), embedder, reference, device)
