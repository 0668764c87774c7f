"""Q and D of real faces, by the real detector and the embedder that ships."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.data import lfw_subset

from monitor.config import load_settings
from monitor.diversity.alignment import align
from monitor.diversity.embedder import load_embedder
from monitor.diversity.reference import load_reference
from monitor.quality import FaceQuality
from monitor.store.blocks import Block, Cell, Rows
from monitor.worker.batch import add_points
from monitor.worker.evaluators import load_evaluators
from monitor.worker.partial import Partial
from monitor.worker.pipeline import Evaluators, evaluate_chunk
from monitor.worker.sample_frames import SamplesFrame
from tests.reference.batch import nearest, scores

FACES = 100


@pytest.fixture(scope="module")
def with_() -> Evaluators:
    """What `sqd demo` evaluates with."""
    return load_evaluators(load_settings(reference="faces100", device="cpu"))


@pytest.fixture(scope="module")
def images() -> NDArray[np.uint8]:
    """(200, 1, 25, 25): a hundred faces, then a hundred that are none."""
    pixels = np.asarray(lfw_subset())  # type: ignore[no-untyped-call]
    levels: NDArray[np.uint8] = (pixels * 255).round().astype(np.uint8)
    return levels[:, None]


def evaluate(chunks: list[NDArray[np.uint8]], with_: Evaluators) -> dict[str, Cell]:
    whole = Partial()
    for part, chunk in enumerate(chunks):
        last = part == len(chunks) - 1
        frame = SamplesFrame(Rows.one(0, 0, None, 0.0), part, last, chunk, 0, 0, "")
        whole += Partial.decode(evaluate_chunk(frame, with_).encode())
    block = Block("demo", "segment", "samples", whole_rows())
    add_points(block, whole, with_)
    return {metric: cell for metric, (cell,) in block.cells.items()}


def whole_rows() -> Rows:
    return Rows.one(0, 0, None, 0.0)


def number(cell: Cell) -> float:
    assert cell.value is not None
    return cell.value


def test_faces_are_faces_and_each_is_its_own_mode(
    images: NDArray[np.uint8], with_: Evaluators
) -> None:
    found = evaluate([images[:FACES]], with_)
    assert number(found["Q"]) > 0.95
    assert number(found["D.modes"]) >= 95
    assert found["D"].status == "ok"
    # All hundred are there: as diverse as the reference itself.
    assert number(found["D"]) == pytest.approx(np.log(FACES), abs=0.02)


def test_what_is_no_face_scores_nothing(images: NDArray[np.uint8], with_: Evaluators) -> None:
    found = evaluate([images[FACES:]], with_)
    assert number(found["Q"]) < 0.02
    assert number(found["D.unaligned"]) > 0.97


def test_one_face_is_one_mode(images: NDArray[np.uint8], with_: Evaluators) -> None:
    found = evaluate([np.repeat(images[7:8], 60, axis=0)], with_)
    assert (found["D.modes"].value, found["D"].value) == (1.0, 0.0)


def test_chunks_in_any_order_are_the_whole_image_by_image(
    images: NDArray[np.uint8], with_: Evaluators
) -> None:
    mixed = images[60:140]
    order = np.random.default_rng(2).permutation(len(mixed))
    found = evaluate(np.split(mixed[order], [13, 14, 51]), with_)
    probabilities, modes = one_by_one(mixed)
    expected = scores(probabilities, modes, FACES)
    assert number(found["Q"]) == pytest.approx(expected.quality, abs=1e-6)
    assert found["Q"].stderr == pytest.approx(expected.quality_stderr, abs=1e-6)
    assert number(found["D"]) == pytest.approx(expected.diversity, rel=1e-12)
    assert number(found["D.unaligned"]) == pytest.approx(expected.unaligned, rel=1e-12)


def one_by_one(images: NDArray[np.uint8]) -> tuple[list[float], list[int]]:
    """Probability and mode of each image by itself."""
    embedder, reference = load_embedder("faces100"), load_reference("faces100")
    detector = FaceQuality()
    centroids: Any = reference.centroids.tolist()
    probabilities, modes = [], []
    for image in images:
        colour = np.repeat(image.transpose(1, 2, 0)[None], 3, axis=3)
        found = detector.detect(colour)
        crops = align(colour, found.landmarks).numpy()
        (feature,) = reference.prepare(embedder.embed(crops)).tolist()
        probabilities.append(float(found.probability[0]))
        modes.append(nearest(feature, centroids))
    return probabilities, modes
