"""What a worker evaluates with is loaded before its first job, or refused in one sentence."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from monitor.config import Settings, load_settings
from monitor.diversity.reference import ReferenceSet, load_reference
from monitor.errors import MonitorError
from monitor.quality import FaceQuality
from monitor.worker.evaluators import NO_REFERENCE, cap_gpu_memory, choose_device, load_evaluators


def settings(**given: str) -> Settings:
    return load_settings(device="cpu", **given)


def test_without_a_reference_quality_goes_on() -> None:
    found = load_evaluators(settings())
    assert (found.embedder, found.reference, found.diversity_failure) == (None, None, NO_REFERENCE)
    assert found.provenance() is None


def test_reference_brings_its_embedder() -> None:
    found = load_evaluators(settings(reference="faces100"))
    provenance = found.provenance()
    assert provenance is not None
    assert (provenance["embedder"], provenance["reference"]) == ("faces100", "faces100")
    assert (provenance["modes"], found.diversity_failure) == (100, "")
    assert provenance["ceiling"] == pytest.approx(4.605, abs=1e-3)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"reference": "nobody"}, "no reference set at"),
        ({"embedder": "nobody"}, "unknown embedder 'nobody'"),
        ({"embedder": "nobody.onnx"}, "no embedder file at nobody.onnx"),
        ({"embedder": "faces100", "reference": "other"}, "was made with embedder buffalo_l"),
    ],
)
def test_what_was_asked_for_must_be_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: dict[str, str], reason: str
) -> None:
    monkeypatch.setenv("SQD_HOME", str(tmp_path))
    (tmp_path / "references").mkdir()
    ships = load_reference("faces100")
    other = ReferenceSet(
        "other", ships.centroids[:, :7].copy(), ships.counts, ships.labels, "buffalo_l", "0" * 64
    )
    other.save(tmp_path / "references" / "other.safetensors")
    with pytest.raises(MonitorError, match=reason) as caught:
        load_evaluators(settings(**given))
    assert "\n" not in str(caught.value)


def test_memory_of_detection_is_what_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, int]] = []

    def noted(device: str, max_batch_bytes: int) -> FaceQuality:
        asked.append((device, max_batch_bytes))
        return FaceQuality(device, max_batch_bytes)

    monkeypatch.setattr("monitor.worker.evaluators.FaceQuality", noted)
    monkeypatch.setenv("SQD_MAX_BATCH_BYTES", "123456")
    load_evaluators(settings())
    assert asked == [("cpu", 123456)]


@pytest.mark.parametrize(("asked", "device"), [("cuda", "cuda:0"), ("cuda:1", "cuda:1")])
def test_a_gpu_has_its_number(monkeypatch: pytest.MonkeyPatch, asked: str, device: str) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert choose_device(asked) == device


def test_a_gpu_is_shared_with_the_training(monkeypatch: pytest.MonkeyPatch) -> None:
    capped: list[tuple[float, torch.device]] = []
    whole = SimpleNamespace(total_memory=80 * 2**30)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: whole)
    monkeypatch.setattr(
        torch.cuda, "set_per_process_memory_fraction", lambda *given: capped.append(given)
    )
    cap_gpu_memory("cuda:1", 20 * 2**30)
    cap_gpu_memory("cuda:0", 200 * 2**30)
    cap_gpu_memory("cpu", 1)
    assert capped == [(0.25, torch.device("cuda:1")), (1.0, torch.device("cuda:0"))]


def test_device_that_is_not_there() -> None:
    assert choose_device("cpu") == "cpu"
    assert choose_device("auto") in ("cpu", "cuda:0")
    with pytest.raises(MonitorError, match="'cuda:77', but torch sees"):
        choose_device("cuda:77")
