"""Q and D of a batch by a worker on a GPU that is not there: as a CPU would have them."""

import logging

import numpy as np
import pytest

import torch  # isort: skip  # First: it brings the CUDA libraries.
import onnxruntime
from skimage.data import lfw_subset

from monitor.config import load_settings
from monitor.quality.cascade import Cascade
from monitor.worker.evaluators import fallen_back, load_evaluators
from tests.pretended_gpu import DEVICE, pretended_gpu, without_inference_mode
from tests.worker.test_faces import evaluate

#: Of the device, bytes; of it the worker may take as many.
MEMORY, CAP = 2**34, 2**31


def test_a_batch_is_what_it_is_on_a_cpu(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pixels = np.asarray(lfw_subset())[70:120, None]  # type: ignore[no-untyped-call]
    images = (pixels * 255).round().astype(np.uint8)
    expected = evaluate(
        [images], load_evaluators(load_settings(reference="faces100", device="cpu"))
    )
    caps: list[float] = []
    # Sessions cannot run on a device that is not there.
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    monkeypatch.setattr(Cascade, "__call__", without_inference_mode(Cascade.__call__))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    properties = type("Properties", (), {"total_memory": MEMORY})
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: properties)
    monkeypatch.setattr(
        torch.cuda, "set_per_process_memory_fraction", lambda share, device: caps.append(share)
    )
    settings = load_settings(reference="faces100", device=DEVICE, max_gpu_bytes=CAP)
    with pretended_gpu(), caplog.at_level(logging.WARNING):
        with_ = load_evaluators(settings)
        found = evaluate([images], with_)
    assert with_.device == DEVICE
    assert caps == [CAP / MEMORY]
    # onnxruntime is on the CPU, and says so; the worker yields then.
    assert "faces100 runs on the CPU" in caplog.text
    assert fallen_back(with_) == ["faces100"]
    assert found == expected
    assert found["Q"].status == found["D"].status == "ok"
