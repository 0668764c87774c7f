"""The device that is not there refuses what a real one refuses."""

import numpy as np
import pytest
import torch

from tests.pretended_gpu import DEVICE, pretended_gpu


def test_its_tensors_meet_no_others() -> None:
    with pretended_gpu():
        there = torch.arange(3.0, device=DEVICE)
        assert there.is_cuda
        assert (there * 2 + there.sum()).tolist() == [3, 5, 7]
        for broken in (
            lambda: there + torch.ones(3),
            lambda: torch.cat([there, torch.ones(3)]),
            lambda: there[torch.arange(2)],
            lambda: there.numpy(),
        ):
            with pytest.raises((RuntimeError, TypeError)):
                broken()
        assert (there + torch.tensor(1.0)).is_cuda
        assert not there.cpu().is_cuda


def test_it_divides_by_a_number_as_a_gpu_does() -> None:
    values = torch.arange(100.0)
    with pretended_gpu():
        there = values.to(DEVICE)
        by_number = (there / 0.6).cpu()
        by_tensor = (there / there.new_full((), 0.6)).cpu()
    assert not torch.equal(by_number, values / 0.6)
    assert torch.equal(by_tensor, values / 0.6)


def test_what_is_written_in_place_stays_there() -> None:
    with pretended_gpu():
        there = torch.zeros(2, 3, device=DEVICE)
        there[1] = torch.ones(3, device=DEVICE)
        there += 1
        host = torch.empty(2, 3)
        host.copy_(there)
        assert there.is_cuda
        assert not host.is_cuda
        np.testing.assert_array_equal(host, [[1, 1, 1], [2, 2, 2]])


def test_modules_go_there() -> None:
    here = torch.nn.Linear(3, 2)
    values = torch.arange(3.0)
    with pretended_gpu(), torch.no_grad():
        expected = here(values)
        there = torch.nn.Linear(3, 2)
        there.load_state_dict(here.state_dict())
        there.to(DEVICE)
        assert there(values.to(DEVICE)).cpu().tolist() == expected.tolist()
        with pytest.raises(RuntimeError, match="same device"):
            there(values)
