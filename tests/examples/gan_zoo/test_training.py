"""Every loss, penalty and norm trains; a resumed training goes on bit for bit."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from examples.gan_zoo import checkpoint
from examples.gan_zoo.losses import LOSSES
from examples.gan_zoo.normalizers import NORMS
from examples.gan_zoo.recipe import PENALTIES, Recipe
from examples.gan_zoo.training import Training, average_gradient_norm

POINTS = Recipe(data="mixture", width=8, batch=4)
IMAGES = Recipe(data="shapes", width=2, batch=3)
norms = pytest.mark.parametrize("norm", [None, *NORMS])
penalties = pytest.mark.parametrize("penalty", [None, *PENALTIES])


def assert_trains(recipe: Recipe, iterations: int = 3) -> None:
    training = Training(recipe)
    networks = {"G": training.netG, "D": training.netD}
    before = {
        name: [weight.detach().clone() for weight in network.parameters()]
        for name, network in networks.items()
    }
    for _ in range(iterations):
        scalars = training.iterate()
        assert {"loss.G", "loss.D", "grad.G", "grad.D"} <= set(scalars)
        for name, value in scalars.items():
            assert math.isfinite(float(value)), (recipe, name)
    for name, network in networks.items():
        pairs = list(zip(network.parameters(), before[name], strict=True))
        assert any(not torch.equal(now, then) for now, then in pairs), name
        assert all(bool(torch.isfinite(now).all()) for now, _ in pairs), name
        assert all(now.requires_grad for now, _ in pairs), "nothing stays frozen"
    assert training.sample(5).shape == (5, *training.data.shape)
    assert training.step == iterations


@norms
@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_with_every_norm_and_some_penalties(loss: str, norm: str | None) -> None:
    for penalty in (None, "gp", "clip"):
        assert_trains(replace(POINTS, loss=loss, norm=norm, penalty=penalty))


@norms
@penalties
def test_every_penalty_with_every_norm_on_images(penalty: str | None, norm: str | None) -> None:
    assert_trains(replace(IMAGES, penalty=penalty, norm=norm), iterations=2)


@pytest.mark.parametrize(
    "changes",
    [
        {"data": "faces"},
        {"network": "tan", "optimizer": "oadam", "penalty": "tan", "bound": 1.0},
        {"network": "dcgan64"},
        {"conditional": True, "penalty": "gp", "norm": "pgn"},
        {"conditional": True, "loss": "fgan:js", "data": "faces"},
        {"generator_step": "1/L", "activation": "silu", "conditional": True},
        {"n_cr": 3, "after_sigmoid": True, "penalty": "0gp"},
    ],
)
def test_the_other_options_train(changes: dict[str, Any]) -> None:
    assert_trains(replace(IMAGES, **changes), iterations=2)


def everything(training: Training) -> dict[str, Any]:
    """The whole state, flat, and the random numbers that come next."""
    flat: dict[str, Any] = {"random": torch.rand(3)}

    def add(prefix: str, value: Any) -> None:
        if isinstance(value, dict):
            for key, part in value.items():
                add(f"{prefix}.{key}", part)
        elif isinstance(value, list | tuple):
            for key, part in enumerate(value):
                add(f"{prefix}.{key}", part)
        else:
            flat[prefix] = value

    add("", training.state())
    return flat


@pytest.mark.parametrize(
    "recipe",
    [
        replace(POINTS, penalty="gp", optimizer="oadam", n_cr=2),
        replace(POINTS, generator_step="1/L", activation="softplus"),
        replace(IMAGES, norm="sn", penalty="cr", conditional=True),
        replace(IMAGES, loss="wgan", penalty="clip", data="faces"),
        replace(IMAGES, norm="gn", penalty="alr"),
    ],
)
def test_a_resumed_training_goes_on_bit_for_bit(recipe: Recipe, tmp_path: Path) -> None:
    straight = Training(recipe)
    for _ in range(3):
        straight.iterate()
    checkpoint.save(straight, "run of tests", tmp_path)
    for _ in range(3):
        straight.iterate()
    expected = everything(straight)
    torch.manual_seed(99)
    resumed = Training(recipe)
    resumed.iterate()  # whatever it did before is gone
    assert checkpoint.resume(resumed, tmp_path) == "run of tests"
    assert resumed.step == 3
    for _ in range(3):
        resumed.iterate()
    found = everything(resumed)
    assert set(found) == set(expected)
    for name, value in expected.items():
        other = found[name]
        assert torch.equal(value, other) if isinstance(value, Tensor) else value == other, name
    assert [path.name for path in tmp_path.iterdir()] == [checkpoint.NAME]


def test_there_may_be_no_checkpoint_yet(tmp_path: Path) -> None:
    assert checkpoint.resume(Training(POINTS), tmp_path / "none") is None


def test_a_checkpoint_of_another_recipe_is_refused(tmp_path: Path) -> None:
    checkpoint.save(Training(POINTS), "run", tmp_path)
    with pytest.raises(ValueError, match=r"--n-cr 1, not 2"):
        checkpoint.resume(Training(replace(POINTS, n_cr=2)), tmp_path)


def test_the_seed_decides() -> None:
    first, same, other = (Training(replace(POINTS, seed=seed)) for seed in (1, 1, 2))
    losses = []
    for training in (first, same, other):
        torch.manual_seed(0)
        losses.append(float(training.iterate()["loss.D"]))
    assert losses[0] == losses[1] != losses[2]


def test_the_average_gradient_norm() -> None:
    network = torch.nn.Linear(2, 1)
    network.weight.grad, network.bias.grad = torch.tensor([[3.0, 4.0]]), torch.tensor([-1.0])
    assert float(average_gradient_norm(network)) == 3


def test_n_cr_counts_discriminator_steps() -> None:
    training = Training(replace(POINTS, n_cr=4))
    training.iterate()
    counts = [
        {int(state["step"]) for state in optimizer.state.values()}
        for optimizer in (training.optG, training.optD)
    ]
    assert counts == [{1}, {4}]


def test_the_step_of_the_bound_is_used() -> None:
    training = Training(replace(POINTS, generator_step="1/L", activation="softplus"))
    weight = next(training.netG.parameters())
    before = weight.detach().clone()
    scalars = training.iterate()
    assert weight.grad is not None
    assert 0 < float(scalars["step.G"]) <= 1 / float(scalars["smoothness.L"])
    torch.testing.assert_close(weight.detach(), before - float(scalars["step.G"]) * weight.grad)


def test_clipped_weights_stay_in_bounds() -> None:
    training = Training(replace(POINTS, loss="wgan", penalty="clip", clip=0.02))
    training.iterate()
    largest = max(float(weight.detach().abs().max()) for weight in training.netD.parameters())
    assert largest == pytest.approx(0.02)


def test_lambda_scales_the_penalty() -> None:
    values = []
    for weight in (None, 1.0):
        training = Training(replace(POINTS, penalty="lp", penalty_weight=weight, norm=None))
        with torch.no_grad():
            for parameter in training.netD.parameters():
                parameter.mul_(3)
        values.append(float(training.iterate()["penalty.D"]))
    assert values[0] == pytest.approx(10 * values[1])
    assert values[1] > 0


def test_the_conditional_discriminator_also_judges_wrong_labels() -> None:
    # Before it has learnt anything, each of the terms is −log ½.
    for conditional, terms in ((False, 2), (True, 3)):
        loss = Training(replace(IMAGES, conditional=conditional)).iterate()["loss.D"]
        assert float(loss) == pytest.approx(terms * math.log(2), abs=0.25)


def test_points_need_a_network_for_points() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        Training(replace(POINTS, network="demo"))
    with pytest.raises(ValueError, match="does not fit"):
        Training(replace(IMAGES, network="mlp"))


def test_conditions_teach_the_generator_its_labels() -> None:
    # The slides' mixture is learnt well enough in a second that a label means its own normal.
    recipe = Recipe(
        data="mixture:slides", conditional=True, width=32, learning_rate=3e-3, batch=64, seed=1
    )
    training = Training(recipe)
    for _ in range(400):
        training.iterate()
    labels = torch.arange(4).repeat(50)
    points = training.netG(torch.randn(200, 2), labels)
    centres = torch.tensor([[-2.0, -2.0], [-2.0, 2.0], [2.0, -2.0], [2.0, 2.0]])
    nearest = torch.cdist(points.detach(), centres).argmin(1)
    assert float((nearest == labels).float().mean()) > 0.9
