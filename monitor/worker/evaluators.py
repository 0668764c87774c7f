"""Loads what a worker evaluates with; what cannot be loaded is said, and the rest goes on."""

import logging

import torch

from monitor.config import Settings
from monitor.diversity.embedder import Embedder, load_embedder
from monitor.diversity.reference import ReferenceSet, load_reference
from monitor.errors import MonitorError, SettingsError
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
        SettingsError: it is none of these, or the machine does not have it.
    """
    if wanted == "auto":
        return "cuda:0" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(wanted)
    except RuntimeError as error:
        raise SettingsError(f"device is {wanted!r}; expected auto, cpu or cuda:N") from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise SettingsError(
            f"device is {wanted!r}, but torch sees {torch.cuda.device_count()} CUDA devices"
        )
    return str(device)


def load_evaluators(settings: Settings) -> Evaluators:
    """The evaluators that `settings` ask for.

    Raises:
        MonitorError: an embedder or reference that was asked for cannot be had, or they do not
            belong together.
    """
    device = choose_device(settings.device)
    if settings.quality != "faces":
        raise SettingsError(f"quality is {settings.quality!r}; this version offers 'faces'")
    embedder, reference, failure = _diversity(settings, device)
    return Evaluators(
        detector=FaceQuality(device),
        embedder=embedder,
        reference=reference,
        device=device,
        diversity_failure=failure,
    )


def _diversity(settings: Settings, device: str) -> tuple[Embedder | None, ReferenceSet | None, str]:
    if not settings.reference:
        return None, None, NO_REFERENCE
    try:
        reference = load_reference(settings.reference, settings.home)
        embedder = load_embedder(settings.embedder or reference.embedder, device)
        reference.check(embedder)
    except MonitorError as error:
        log.error("D cannot be computed: %s", error)
        return None, None, str(error)
    if device != "cpu" and embedder.provider == "CPUExecutionProvider":
        log.warning("embedder %s runs on the CPU: onnxruntime has no CUDA provider; "
                    "`sqd doctor` says how to install it", embedder.name)  # fmt: skip
    return embedder, reference, ""
