"""Arrays come from the device when the sender asks, never before, and only once."""

from typing import Any

import numpy as np
import torch

from trainer_hooks.landing import Landing, launch, launch_beside


class Event:
    """A CUDA event that notes when it is waited for."""

    def __init__(self, log: list[str]) -> None:
        self._log = log

    def synchronize(self) -> None:
        self._log.append("waited")


class OnDevice:
    """A tensor on a device that notes when it is copied."""

    shape, itemsize = (3,), 4

    def __init__(self, log: list[str]) -> None:
        self.device = type("device", (), {"type": "cuda"})()
        self._log = log

    def cpu(self) -> Any:
        self._log.append("copied")
        return torch.arange(3.0)


def test_device_is_waited_for_before_its_memory_is_read() -> None:
    log: list[str] = []
    landing = Landing(OnDevice(log), Event(log))
    assert (landing.shape, landing.nbytes, landing.landed, log) == ((3,), 12, False, [])
    assert landing.array().tolist() == [0, 1, 2]
    assert landing.array().tolist() == [0, 1, 2]
    assert log == ["waited", "copied"]
    assert landing.landed


def test_pinned_memory_is_given_back() -> None:
    pinned = torch.arange(3.0)
    landing = Landing(pinned, Event([]))
    array = landing.array()
    pinned[:] = 9
    assert array.tolist() == [0, 1, 2]


def test_host_tensors_have_landed() -> None:
    tensor = torch.arange(3.0)
    for launched in (launch(tensor, torch), launch_beside(tensor, torch)):
        assert launched.landed
        assert np.shares_memory(launched.array(), tensor.numpy())
