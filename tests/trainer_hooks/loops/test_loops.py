"""Every kind of loop: its training stays the same, its weights arrive as the S they have."""

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor

from monitor.stability import weight_angle
from tests.trainer_hooks.conftest import Start
from tests.trainer_hooks.loops.gan import ACCUMULATED, LOOPS, Loop, accumulation, noise
from tests.trainer_hooks.mail import Mail
from tests.trainer_hooks.training import same
from trainer_hooks import Run

# Torch's own compiler asks tensors for what they have not.
pytestmark = pytest.mark.filterwarnings("ignore:The .grad attribute:UserWarning")

ITERATIONS = 12
SAMPLES = 20


def train(loop: Loop, run: Run | None = None) -> tuple[list[dict[str, Tensor]], list[Any]]:
    """Weights of each network after each iteration, as one vector; and all that was left."""
    torch.manual_seed(1)
    seen: list[dict[str, Tensor]] = []
    for step, (networks, losses) in enumerate(itertools.islice(loop(), ITERATIONS)):
        seen.append({name: vector(network) for name, network in networks.items()})
        if run is not None:
            run.push_weights(step, networks, scalars=losses)
            run.push_samples(step, lambda n, G=networks["G"]: sample(G, n))
    left = [(net.state_dict(), [p.grad for p in net.parameters()]) for net in networks.values()]
    return seen, [left, torch.get_rng_state()]


def vector(network: Any) -> Tensor:
    return torch.cat([p.detach().float().reshape(-1) for p in network.parameters()])


def sample(G: Any, n: int) -> Tensor:
    kind = next(G.parameters()).dtype
    images: Tensor = G(noise(n).to(kind)).float()
    return images


@pytest.fixture
def run(start: Start, mail: Mail, every_call: None) -> Run:
    """Every call is taken, so that every angle can be asked for."""
    return start("run", redis_url=mail.redis_url, samples=SAMPLES, samples_every=5)


@pytest.mark.parametrize("loop", LOOPS.values(), ids=LOOPS)
def test_loop_is_watched_and_stays_the_same(loop: Loop, run: Run, mail: Mail) -> None:
    _, unwatched = train(loop)
    seen, watched = train(loop, run)
    run.finish()
    assert same(watched, unwatched)
    for name in seen[0]:
        angles = mail.angles("run", name)
        assert angles == pytest.approx(
            {
                step: weight_angle(seen[step - 1][name], seen[step][name])
                for step in range(1, ITERATIONS)
            },
            rel=1e-4,
        )
        assert any(angles.values())
    assert {step: len(batch) for step, batch in mail.batches("run").items()} == dict.fromkeys(
        (0, 5, 10), SAMPLES
    )
    assert len(mail.scalars("run")["loss.G"]) == ITERATIONS
    assert run.dropped == {}


def test_weights_stand_still_while_gradients_accumulate(run: Run, mail: Mail) -> None:
    train(accumulation, run)
    run.finish()
    moved = [step for step, angle in mail.angles("run", "G").items() if angle > 0]
    assert moved == list(range(ACCUMULATED - 1, ITERATIONS, ACCUMULATED))


@pytest.mark.parametrize("name", ["compiled", "averages"])
def test_layers_have_the_names_of_the_network_itself(name: str, run: Run, mail: Mail) -> None:
    train(LOOPS[name], run)
    run.finish()
    for frame in mail.weights("run"):
        for network in frame.networks:
            if network.name != "D":
                names = [f"{i}.{kind}" for i in (0, 1, 4) for kind in ("weight", "bias")]
                assert [tensor.name for tensor in network.tensors] == names
