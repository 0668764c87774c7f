"""What onnxruntime is asked for."""

import pytest

import torch  # isort: skip  # First: it brings the CUDA libraries.
import onnxruntime

from monitor.diversity.session import providers


def test_on_a_gpu_a_session_is_bounded_and_the_cpu_stands_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    both = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: both)
    (name, options), last = providers("cuda:2", 123)
    assert (name, last) == tuple(both)
    assert options["device_id"] == 2
    assert options["gpu_mem_limit"] == 123
    assert providers(torch.device("cuda"))[0][1]["device_id"] == 0
    assert providers("cpu") == ["CPUExecutionProvider"]


def test_without_a_cuda_provider_there_is_the_cpu_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    assert providers("cuda:0") == ["CPUExecutionProvider"]
