"""FID's Inception network: torch-fidelity's own, weights of the user's file, nothing else in it.

The real weights cannot be downloaded here: these are random ones in the same format.
"""

import hashlib
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
from torch_fidelity.metric_isc import isc_features_to_metric
from torchvision.models import inception_v3

from monitor.config import load_settings
from monitor.diversity.companions.companion import Sample
from monitor.diversity.companions.offered import OFFERED
from monitor.diversity.reference import ReferenceSet, load_reference
from monitor.errors import EvaluatorError, MonitorError
from monitor.evaluators import inception
from monitor.evaluators.faces import FaceFinder
from monitor.evaluators.images import coloured
from monitor.evaluators.inception import InceptionFeatures
from monitor.evaluators.load import load_quality
from monitor.store.blocks import Block, Rows
from monitor.worker.batch import add_points
from monitor.worker.chosen import chosen_by
from monitor.worker.evaluators import load_evaluators
from monitor.worker.partial import Partial
from monitor.worker.pipeline import evaluate_chunk
from monitor.worker.sample_frames import SamplesFrame
from tests.cli.conftest import Sqd, sqd
from tests.worker.laboratory import Painted

__all__ = ["sqd"]

ROWS = Rows.one(0, 0, None, 0.0)
#: Three images that look unlike each other, and more that are nearly one of them.
DRAWN = np.random.default_rng(8)
IMAGES: NDArray[np.uint8] = np.stack(
    [
        DRAWN.integers(low, high, (3, 20, 24), np.uint8)
        for low, high in ((0, 256), (0, 20), (90, 256))
    ]
)
# As a frame gives them.
IMAGES.flags.writeable = False


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state dict as pytorch-fid's file has it, which its authors load into this network too."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = inception_v3(weights=None, num_classes=1008, aux_logits=False, init_weights=False)
        for module in network.modules():
            if isinstance(module, torch.nn.Conv2d):
                # Or the signal fades on its way.
                torch.nn.init.kaiming_normal_(module.weight)
    path = tmp_path_factory.mktemp("weights") / "pt_inception.pth"
    torch.save(network.state_dict(), path)
    return path


@pytest.fixture(scope="module")
def embedder(weights: Path) -> InceptionFeatures:
    return InceptionFeatures(weights, "inception:pt_inception.pth", "cpu")


@pytest.fixture(scope="module")
def theirs(weights: Path) -> tuple[NDArray[np.float32], torch.Tensor]:
    """What torch-fidelity says of the images: features and logits."""
    network = FeatureExtractorInceptionV3("theirs", ["2048", "logits_unbiased"], str(weights))
    network.eval()
    features, logits = network(torch.from_numpy(IMAGES.copy()))
    return features.numpy(), logits


def test_features_and_head_are_the_librarys(
    embedder: InceptionFeatures, weights: Path, theirs: tuple[NDArray[np.float32], torch.Tensor],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(inception, "MOST_PER_RUN", 2)
    found = embedder.features(IMAGES)
    features, logits = theirs
    assert features.std(axis=0).max() > 0.01
    np.testing.assert_allclose(found.values, features, rtol=1e-4, atol=1e-5 * features.max())
    assert found.values.dtype == np.float32
    assert found.unaligned == 0
    assert embedder.head is not None
    np.testing.assert_allclose(features @ embedder.head.T, logits.numpy(), rtol=1e-3, atol=1e-4)
    assert embedder.sha256 == hashlib.sha256(weights.read_bytes()).hexdigest()
    assert (embedder.dimension, embedder.aligns, embedder.provider) == (2048, False, "cpu")


def test_grey_is_repeated() -> None:
    np.testing.assert_array_equal(coloured(IMAGES[:, :1]), IMAGES[:, [0, 0, 0]])
    assert coloured(IMAGES) is IMAGES


@pytest.mark.parametrize(
    "samples", [np.zeros((2, 2), np.float32), np.zeros((1, 4, 9, 9), np.uint8)]
)
def test_only_images(embedder: InceptionFeatures, samples: NDArray[Any]) -> None:
    with pytest.raises(EvaluatorError, match=r"inception:pt_inception\.pth takes uint8 \(1 or 3"):
        embedder.features(samples)


def test_batches_in_chunks_have_the_scores_of_the_features(
    weights: Path, theirs: tuple[NDArray[np.float32], torch.Tensor], tmp_path: Path
) -> None:
    features, logits = theirs
    sha256 = hashlib.sha256(weights.read_bytes()).hexdigest()
    kept = features[[0, 1, 2, 0]] * np.float32(1.3)
    reference = ReferenceSet("looks", features, np.ones(3, np.int64), tuple("abc"),
                             "inception:pt_inception.pth", sha256, False, kept)  # fmt: skip
    reference.save(tmp_path / "looks.safetensors")
    by = load_evaluators(
        load_settings(
            device="cpu", embedder=f"inception:{weights}",
            reference=str(tmp_path / "looks.safetensors"),
        )
    )  # fmt: skip
    assert "inception:pt_inception.pth and reference looks on cpu" in by.said()
    chosen = chosen_by({"metrics": ["D", "frechet", "kid", "is"]})
    frames = [SamplesFrame(ROWS, i, i == 1, IMAGES[2 * i : 2 * i + 2], 0, 0, "") for i in range(2)]
    block = Block("demo", "segment", "samples", ROWS)
    batch = sum((evaluate_chunk(frame, by, chosen) for frame in frames), Partial())
    add_points(block, batch, by, chosen)
    found = {metric: cell for metric, (cell,) in block.cells.items()}
    assert found["D.modes"].value == 3
    assert found["D.is"].value == pytest.approx(
        isc_features_to_metric(logits, splits=1)["inception_score_mean"], rel=1e-3
    )
    sample = Sample(features.astype(np.float64), kept.astype(np.float64))
    for name in ("frechet", "kid"):
        (score,) = OFFERED[name].measure(sample).values()
        # Features in between are rounded.
        assert found[f"D.{name}"].value == pytest.approx(score.value, rel=1e-3)
        assert (found[f"D.{name}"].n, found[f"D.{name}"].status) == (3, "insufficient")
    assert "at least 2049 of each" in found["D.frechet"].reason


def test_reference_sets_keep_the_lengths(sqd: Sqd, weights: Path, tmp_path: Path) -> None:
    from PIL import Image

    for i, image in enumerate(IMAGES):
        Image.fromarray(image.transpose(1, 2, 0)).save(tmp_path / f"{i}.png")
    home = tmp_path / "home"
    result = sqd("reference", "build", "--name", "looks", "--images", str(tmp_path), "--cluster",
                 "2", "--embedder", f"inception:{weights}", "--device", "cpu",
                 "--home", str(home))  # fmt: skip
    assert result.code == 0, result
    built = load_reference("looks", home)
    assert (built.normalised, built.centroids.shape) == (False, (2, 2048))
    assert (built.embedder, built.counts.sum()) == ("inception:pt_inception.pth", 3)
    assert built.features is not None


class Harmful:
    """What makes a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.mkdir, (self.folder,)


def test_code_in_the_file_never_runs(tmp_path: Path) -> None:
    path, trace = tmp_path / "harmful.pth", tmp_path / "it ran"
    torch.save({"fc.weight": Harmful(trace)}, path)
    with pytest.raises(EvaluatorError, match="has more than tensors in it"):
        InceptionFeatures(path, "x", "cpu")
    assert not trace.exists()


def test_older_files(weights: Path, embedder: InceptionFeatures, tmp_path: Path) -> None:
    """The real file is of 2020: perhaps torch's old format, without counters of BatchNorm."""
    state = torch.load(weights, weights_only=True)
    old = {name: value for name, value in state.items() if "num_batches" not in name}
    assert len(old) < len(state)
    torch.save(old, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    loaded = InceptionFeatures(tmp_path / "old.pth", "old", "cpu")
    np.testing.assert_array_equal(
        loaded.features(IMAGES[:1]).values, embedder.features(IMAGES[:1]).values
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is no file of weights"),
        (b"<html>not found</html>", "is no file of weights"),
        (
            {"fc.weight": torch.zeros(1008, 2048)},
            "has no weights of FID's Inception network: Error",
        ),
        (torch.zeros(2), "has no weights of FID's Inception network"),
    ],
)
def test_other_files(tmp_path: Path, content: Any, said: str) -> None:
    path = tmp_path / "other.pth"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    with pytest.raises(EvaluatorError, match=said) as caught:
        InceptionFeatures(path, "x", "cpu")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


def test_features_that_are_not_numbers(
    embedder: InceptionFeatures, monkeypatch: pytest.MonkeyPatch
) -> None:
    torn = torch.full((len(IMAGES), 2048), torch.nan)
    monkeypatch.setattr(embedder, "_network", lambda images: (torn,))
    with pytest.raises(EvaluatorError, match="a number that is not finite"):
        embedder.features(IMAGES)


def failure(embedder: str) -> str:
    return load_evaluators(load_settings(device="cpu", embedder=embedder)).diversity_failure


def test_what_is_missing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    said = failure("inception:/no/where.pth")
    assert said.startswith("no Inception weights at /no/where.pth (No such file or directory); ")
    assert said.endswith("inception-2015-12-05-6726825d.pth")
    monkeypatch.setitem(sys.modules, "torch_fidelity", None)
    assert "pip install 'sqd-monitor[inception]'" in failure("inception:/no/where.pth")


def test_what_it_is_not_for() -> None:
    for asked in ("inception:", "inception:x.pth#mean=1"):
        with pytest.raises(MonitorError, match=r"expected .* or inception:WEIGHTS\.pth"):
            load_settings(embedder=asked)
    with pytest.raises(MonitorError, match="expected faces, onnx:PATH"):
        load_settings(quality="inception:x.pth")
    with pytest.raises(EvaluatorError, match="makes features and no scores"):
        load_quality("inception:x.pth", FaceFinder(Painted()))
