"""What a worker is asked for becomes Q and D of samples; what breaks is told with its reason."""

import json
import math
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from monitor.config import load_settings
from monitor.diversity.reference import ReferenceSet
from monitor.errors import MonitorError
from monitor.protocol import Samples
from monitor.store.blocks import Block, Cell, Rows
from monitor.worker.batch import add_points
from monitor.worker.evaluators import load_evaluators
from monitor.worker.pipeline import Evaluators, evaluate_chunk
from monitor.worker.sample_frames import SamplesFrame
from tests.evaluators.models import save_linear

ROWS = Rows.one(0, 0, None, 0.0)
#: Four colours, one class each: (n, 3, 2, 2) uint8 images and the classes they show.
SHOWN = np.array([0, 0, 0, 1, 1, 2])
PALETTE = np.array([[250, 0, 0], [0, 250, 0], [0, 0, 250], [250, 250, 250]], np.uint8)
IMAGES: NDArray[np.uint8] = np.repeat(PALETTE[SHOWN], 4, axis=1).reshape(-1, 3, 2, 2)
RING = {"modes": [[2, 0], [0, 2], [-2, 0], [0, -2]], "std": 0.1, "labels": ["e", "n", "w", "s"]}


def load(**given: str) -> Evaluators:
    return load_evaluators(load_settings(device="cpu", **given))


def evaluate(with_: Evaluators, samples: Samples) -> dict[str, Cell]:
    frame = SamplesFrame(ROWS, 0, True, samples, 0, 0, "")
    block = Block("run", "segment", "samples", ROWS)
    add_points(block, evaluate_chunk(frame, with_), with_)
    return {metric: cell for metric, (cell,) in block.cells.items()}


@pytest.fixture
def classifier(tmp_path: Path) -> Path:
    """Logits of the four colours, by their similarity to the palette."""
    matrix = np.repeat(PALETTE / 250 - 0.5, 4, axis=1).T.astype(np.float32)
    return save_linear(tmp_path / "colours.onnx", matrix, ["N", 3, 2, 2])


@pytest.fixture
def ring(tmp_path: Path) -> Path:
    path = tmp_path / "ring.json"
    path.write_text(json.dumps(RING))
    return path


def softmax(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Of the classifier's logits, by the definition."""
    logits = 4 * (pixels[:, :, 0, 0] / 255) @ (PALETTE / 250 - 0.5).T
    shares: NDArray[np.float64] = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return shares


def test_classifier_gives_its_certainty_and_its_classes(classifier: Path) -> None:
    with_ = load(quality=f"onnx:{classifier}", embedder=f"onnx:{classifier}#classes")
    found = evaluate(with_, IMAGES)
    assert found["Q"].value == pytest.approx(softmax(IMAGES).max(axis=1).mean(), rel=1e-5)
    assert (found["Q"].status, found["D"].status) == ("ok", "ok")
    assert found["D.modes"].value == 3
    assert "D.unaligned" not in found
    provenance = with_.provenance()
    assert provenance is not None
    assert provenance["embedder"] == "onnx:colours.onnx#classes"
    assert (provenance["modes"], provenance["ceiling"]) == (4, pytest.approx(math.log(4)))
    assert "CPUExecutionProvider" in with_.said()


def test_one_class_alone(classifier: Path) -> None:
    found = evaluate(load(quality=f"onnx:{classifier}#class=2"), IMAGES)
    assert found["Q"].value == pytest.approx(softmax(IMAGES)[:, 2].mean(), rel=1e-5)


def test_probabilities_stay_as_they_are(tmp_path: Path) -> None:
    matrix = np.diag(np.full(2, 3.0)).astype(np.float32)
    path = save_linear(tmp_path / "p.onnx", matrix, ["N", 2], softmax=True)
    samples = np.array([[1, 0], [0, 0]], np.float32)
    found = evaluate(load(quality=f"onnx:{path}"), samples)
    top = math.exp(3) / (math.exp(3) + 1)
    assert found["Q"].value == pytest.approx((top + 0.5) / 2, rel=1e-6)


def test_feature_network_counts_the_modes_of_a_reference(tmp_path: Path) -> None:
    turn = np.array([[0, 1], [-1, 0]], np.float32)
    path = save_linear(tmp_path / "turn.onnx", turn, ["N", 2])
    asked = f"onnx:{path}"
    embedder = load(embedder=asked).embedder
    assert embedder is not None
    centroids = np.array([[0, 1], [0, -1], [5, 5]], np.float32)
    reference = ReferenceSet("ends", centroids, np.ones(3, np.int64), tuple("abc"),
                             embedder.name, embedder.sha256, normalised=False)  # fmt: skip
    file = tmp_path / "ends.safetensors"
    reference.save(file)
    samples = np.array([[1, 0], [0.9, 0.1], [-1, 0]], np.float32)
    with_ = load(embedder=asked, reference=str(file))
    found = evaluate(with_, samples)
    assert (found["D.modes"].value, found["D"].status) == (2, "ok")
    # Float points are no faces: Q says so, D goes on.
    assert found["Q"].status == "failed"
    assert "faces are looked for" in found["Q"].reason
    with pytest.raises(MonitorError, match=r"made with embedder onnx:turn\.onnx .* not with"):
        load(embedder=f"{asked}#mean=0.5", reference=str(file))
    # A reference may come from elsewhere, so it does not choose what runs here.
    with pytest.raises(MonitorError, match="start the worker with --embedder and the same one"):
        load(reference=str(file))


def test_points_of_a_mixture(ring: Path) -> None:
    with_ = load(quality=f"points:{ring}", embedder=f"points:{ring}")
    samples = np.array([[2, 0.29], [2, 0.31], [0, 2], [0.02, 2], [-2, 0], [9, 9]], np.float32)
    found = evaluate(with_, samples)
    assert found["Q"].value == pytest.approx(4 / 6)
    assert found["D.modes"].value == 3
    assert found["D"].status == "ok"
    assert with_.reference is not None
    assert with_.reference.labels == ("e", "n", "w", "s")


def test_each_mode_may_have_a_deviation_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "two.json"
    path.write_text(json.dumps({"modes": [[0], [10]], "std": [0.1, 2]}))
    samples = np.array([[0.5], [4.1], [3.9], [-0.2]], np.float32)
    assert evaluate(load(quality=f"points:{path}"), samples)["Q"].value == pytest.approx(0.5)


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module of callables in the working directory, with a name of its own."""
    name = f"evaluators_of_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(
        textwrap.dedent("""
        import numpy, torch

        class Light:
            def __call__(self, images):
                return torch.tensor(images).float().mean(dim=(1, 2, 3)).requires_grad_() / 255

        def corner(images):
            return images[:, :, 0, 0]

        def raises(images):
            raise RuntimeError("out of\\nluck")

        light, level, table = Light(), lambda images: images.mean(axis=(1, 2, 3)), 7
        empty = lambda images: numpy.full(len(images), numpy.nan)
        words = lambda images: ["x"] * len(images)
        narrow = lambda images: numpy.zeros((len(images), 0))
        """)
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return f"python:{name}"


def test_callables_score_and_embed(module: str, tmp_path: Path) -> None:
    with_ = load(quality=f"{module}:light", embedder=f"{module}:corner")
    assert with_.embedder is not None
    reference = ReferenceSet("palette", PALETTE.astype(np.float32), np.ones(4, np.int64),
                             tuple("rgbw"), with_.embedder.name, with_.embedder.sha256,
                             normalised=False)  # fmt: skip
    reference.save(tmp_path / "palette.safetensors")
    asked = {"quality": f"{module}:light", "embedder": f"{module}:corner"}
    found = evaluate(load(**asked, reference=str(tmp_path / "palette.safetensors")), IMAGES)
    assert found["Q"].value == pytest.approx(IMAGES.mean() / 255, rel=1e-6)
    assert found["D.modes"].value == 3


@pytest.mark.parametrize(
    ("quality", "said"),
    [
        ("{module}:raises", "raised RuntimeError: out of luck"),
        ("{module}:corner", r"gives uint8 \(6, 3\) for 6 samples; numbers of shape \(6,\)"),
        ("{module}:level", "gives scores from 83.3 to 83.3; Q is between 0"),
        ("{module}:empty", "not finite"),
        ("{module}:words", r"gives <U1 \(6,\)"),
        ("{module}:table", "is a int, not a callable"),
        ("{module}:absent", "cannot be imported: AttributeError"),
        ("python:no_such_module:x", "cannot be imported: ModuleNotFoundError"),
        ("onnx:/no/where.onnx", "no ONNX file at /no/where.onnx"),
        ("onnx:{classifier}#class=4", "class 4 is not among its 4"),
        ("onnx:{classifier}#class=x", "class must be a whole number"),
        ("onnx:{classifier}#mean=x", "mean must be numbers"),
        ("onnx:{classifier}#size=3", "unknown option 'size'; there are class, mean, std"),
        ("points:/no/where.json", "no mixture at /no/where.json"),
        ("points:{ring}", r"samples are uint8 \(3, 2, 2\); ring.json is about float points \(2,\)"),
        ("points:{ring}#x", "unknown option 'x'; it takes none"),
    ],
)  # fmt: skip
def test_what_breaks_fails_quality_with_its_reason(
    module: str, classifier: Path, ring: Path, quality: str, said: str
) -> None:
    asked = quality.format(module=module, classifier=classifier, ring=ring)
    found = evaluate(load(quality=asked), IMAGES)
    assert found["Q"].status == "failed"
    with pytest.raises(MonitorError, match=said):
        raise MonitorError(found["Q"].reason)


@pytest.mark.parametrize(
    ("embedder", "said"),
    [
        ("{module}:raises", "no reference set"),
        ("{module}:narrow", "no reference set"),
        ("onnx:/no/where.onnx", "no ONNX file at /no/where.onnx"),
        ("onnx:{classifier}", "no reference set"),
        ("onnx:{classifier}#class=1", "unknown option 'class'; there are classes, mean, std"),
        ("python:no_such_module:x", "cannot be imported"),
        ("points:{ring}", r"samples are uint8 \(3, 2, 2\)"),
    ],
)
def test_what_breaks_fails_diversity_with_its_reason(
    module: str, classifier: Path, ring: Path, embedder: str, said: str
) -> None:
    asked = embedder.format(module=module, classifier=classifier, ring=ring)
    found = evaluate(load(quality=f"onnx:{classifier}", embedder=asked), IMAGES)
    assert (found["Q"].status, found["D"].status) == ("ok", "failed")
    with pytest.raises(MonitorError, match=said):
        raise MonitorError(found["D"].reason)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "is no mixture"),
        ("[]", "is no mixture"),
        ('{"modes": [[1, 2]]}', "is no mixture"),
        ('{"modes": [[1, 2], [3]], "std": 1}', "is no mixture"),
        ('{"modes": [1, 2], "std": 1}', r"modes are \(2,\), not \(m, d\)"),
        ('{"modes": [[1, 2]], "std": 0}', "standard deviations above 0"),
        ('{"modes": [[1, 2]], "std": [1, 2]}', "is no mixture"),
        ('{"modes": [[1, 2]], "std": 1, "labels": []}', "0 labels for 1 modes"),
    ],
)
def test_mixtures_that_are_none(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "mixture.json"
    path.write_text(content)
    with pytest.raises(MonitorError, match=said):
        raise MonitorError(load(quality=f"points:{path}").quality_failure)


@pytest.mark.parametrize("embedder", ["onnx:", "python:module", "points:", "python:a:b:c"])
def test_requests_that_are_malformed(embedder: str) -> None:
    with pytest.raises(MonitorError, match=r"embedder.* is not usable: expected onnx:PATH"):
        load(embedder=embedder)
