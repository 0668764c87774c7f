"""The hooks beside a training on a GPU that is not there: what they send, who waits for whom."""

import threading
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.pretended_gpu import DEVICE, pretended_gpu
from tests.trainer_hooks.conftest import Start
from tests.trainer_hooks.mail import Mail
from trainer_hooks.device import side_stream
from trainer_hooks.sketch import BUCKETS

STEPS = 4
#: More weights than a sketch has numbers.
WIDTH = BUCKETS // 10


def trained(run: Any, device: str) -> None:
    """Steps of a network that changes in place, as an optimizer changes it."""
    torch.manual_seed(5)
    network = nn.Linear(WIDTH, 30).to(device)
    noise = torch.randn(8, WIDTH)
    for step in range(STEPS):
        with torch.no_grad():
            for weight in network.parameters():
                weight.mul_(1.1).add_(0.01 * step)

        def generate(n: int) -> Tensor:
            drawn: Tensor = network(noise[:n].to(device)).tanh()
            return drawn.reshape(n, 1, 5, 6)

        run.push_weights(step, G=network, scalars={"loss.G": network.bias.sum()})
        run.push_samples(step, generate)


@pytest.mark.parametrize("weights", ["full", "sketch"])
def test_what_is_sent_is_what_a_cpu_would_send(
    start: Start, mail: Mail, every_call: None, weights: str
) -> None:
    options: dict[str, Any] = {
        "redis_url": mail.redis_url, "weights": weights, "samples": 8, "samples_every": 2,
        "strict": True,
    }  # fmt: skip
    here = start("here", **options)
    trained(here, "cpu")
    here.finish()
    with pretended_gpu() as log:
        there = start("there", **options)
        trained(there, DEVICE)
        there.finish()
    assert not any(there.dropped.values())
    angles = mail.angles("there", "G")
    assert list(angles) == list(range(1, STEPS))
    assert angles == pytest.approx(mail.angles("here", "G"), rel=1e-5)
    assert mail.scalars("there") == mail.scalars("here")
    batches, expected = mail.batches("there"), mail.batches("here")
    assert list(batches) == list(expected) == [0, 2]
    for step, batch in batches.items():
        np.testing.assert_array_equal(batch, expected[step])
    # Snapshots leave on a stream of their own, behind what the trainer has started, and stay in
    # memory until then; the host waits for that stream alone.
    start_of_copy = ["side waits for trainer's", "into side", "memory kept", "event on side"]
    assert [log[i : i + 4] for i, said in enumerate(log) if "side waits" in said] == (
        [start_of_copy] * STEPS
    )
    assert log.count("host waits for side") == STEPS


def test_numbers_are_fetched_aside(start: Start, mail: Mail) -> None:
    with pretended_gpu() as log:
        run = start("r", redis_url=mail.redis_url, strict=True)
        run.push_weights(0, scalars={"loss.G": torch.tensor(2.5, device=DEVICE)})
        run.finish()
    assert mail.scalars("r") == {"loss.G": [(0, 2.5)]}
    # The trainer's own thread only marks where its stream stands.
    assert log == ["event on trainer's", "host waits for trainer's", "into side"]


def test_all_copies_take_the_same_side_stream() -> None:
    with pretended_gpu():
        first, again = (side_stream(torch.device(DEVICE)) for _ in range(2))
        other = side_stream(torch.device("cuda:1"))
    assert first is again
    assert first is not other


def test_calls_within_a_graph_are_refused_and_counted(
    start: Start, mail: Mail, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = start("r", redis_url=mail.redis_url, samples=4, samples_every=1)
    network = nn.Linear(2, 2)
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_current_stream_capturing", lambda: True)
    run.push_weights(0, G=network, scalars={"loss": 1.0})
    run.push_samples(0, lambda n: pytest.fail("called while a graph is captured"))
    assert run.dropped == {"capturing": 2}
    monkeypatch.setattr(torch.cuda, "is_current_stream_capturing", lambda: False)
    run.push_weights(1, scalars={"loss": 2.0})
    monkeypatch.undo()
    run.finish()
    assert mail.scalars("r") == {"loss": [(1, 2.0)]}


def test_the_thread_that_waits_leaves_captures_of_others_alone(
    start: Start, mail: Mail, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it comes, a thread's call ends a capture that another one makes in torch's usual mode."""
    asked: list[tuple[str, int, str]] = []

    class Driver:
        def cuThreadExchangeStreamCaptureMode(self, mode: Any) -> None:
            asked.append((name, mode._obj.value, threading.current_thread().name))

    name = ""

    def loaded(library: str) -> Driver:
        nonlocal name
        name = library
        return Driver()

    monkeypatch.setattr("ctypes.CDLL", loaded)
    with pretended_gpu():
        run = start("r", redis_url=mail.redis_url, strict=True)
        for step in range(3):
            run.push_weights(step, scalars={"loss.G": torch.tensor(2.5, device=DEVICE)})
        run.finish()
    # CU_STREAM_CAPTURE_MODE_THREAD_LOCAL, once, before it first waits.
    assert asked == [("libcuda.so.1", 1, "sqd-packer")]
