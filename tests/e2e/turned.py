"""A run with a turning point: batches with images and modes, of which most are gone in the end."""

import io
from typing import Any

import numpy as np
from PIL import Image

from monitor.types import Alert
from tests.server.laboratory import EPOCH_S, Laboratory
from trainer_hooks import Run

#: Steps between batches, batches, the batch with which D begins to fall and the one that told.
SPACING, BATCHES, ONSET, NOTICED = 10, 20, 12, 14
#: Modes of the reference, and images of a batch.
MODES, IMAGES = 8, 80
#: A label that must stay text wherever it stands.
LABEL = "<b>mode</b>"
PROVENANCE = {"embedder": "faces100", "reference": "faces100", "modes": MODES, "ceiling": 2.079}


def turn(laboratory: Laboratory, name: str, **options: Any) -> Run:
    """A running run whose D falls at step 120, noticed at 140."""
    run = laboratory.start(name, **options)
    steps = SPACING * BATCHES
    angles = [0.002 + 0.0001 * (step % 7) for step in range(1, steps + 1)]
    laboratory.weights(run, {"S.G": angles, "S.D": angles})
    for batch in range(BATCHES):
        fallen = batch >= ONSET
        laboratory.samples(
            run,
            batch * SPACING,
            {"Q": [0.9 - 0.3 * fallen + 0.01 * (batch % 3)], "D": [1.0 if fallen else 2.0]},
            grid=picture(batch),
            modes=histogram(fallen),
            provenance=PROVENANCE,
        )
    return run


def collapse(run: Run) -> Alert:
    """What the watch would say of it."""
    return Alert(
        id="collapse/1",
        run=run.id,
        kind="mode_collapse",
        step=ONSET * SPACING,
        detected_step=NOTICED * SPACING,
        metrics=("D", "Q"),
        severity="critical",
        message="D fell from 2.0 to 1.0 (12.5σ) between steps 120 and 140. Mode collapse.",
        time=EPOCH_S + NOTICED * SPACING,
    )


def histogram(fallen: bool) -> dict[str, Any]:
    """Of 8 modes; in the end two of them."""
    counts = [40, 40, 0, 0, 0, 0, 0, 0] if fallen else [10] * MODES
    return {
        "n": IMAGES,
        "embedder": "faces100",
        "reference": "faces100",
        "counts": counts,
        "expected": [10.0] * MODES,
        "labels": [f"{LABEL} {mode}" for mode in range(MODES)],
        "over_represented": [],
        "under_represented": [],
    }


def picture(batch: int) -> bytes:
    """A small image grid."""
    pixels = np.random.default_rng(batch).integers(0, 256, (32, 32, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "webp")
    return file.getvalue()
