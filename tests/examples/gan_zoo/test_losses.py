"""The losses against the tables, written out literally."""

import pytest
import torch

from examples.gan_zoo.losses import LOSSES

REAL = torch.tensor([-2.0, -0.3, 0.4, 1.7, 3.0], dtype=torch.float64)
FAKE = torch.tensor([-1.5, -0.1, 0.2, 0.9, 2.5], dtype=torch.float64)
D_REAL, D_FAKE = REAL.sigmoid(), FAKE.sigmoid()

#: L_D and L_G as SQD paper's Table 1 and Tan et al.'s eqs 2–4 have them.
TABLE = {
    "nsgan": (-D_REAL.log().mean() - (1 - D_FAKE).log().mean(), -D_FAKE.log().mean()),
    "saturating": (-D_REAL.log().mean() - (1 - D_FAKE).log().mean(), (1 - D_FAKE).log().mean()),
    "lsgan": (((REAL - 1) ** 2).mean() + (FAKE**2).mean(), ((FAKE - 1) ** 2).mean()),
    "hinge": (
        torch.tensor(
            sum(max(0.0, 1 - float(v)) for v in REAL) / 5
            + sum(max(0.0, 1 + float(v)) for v in FAKE) / 5
        ),
        -FAKE.mean(),
    ),
    "wgan": (FAKE.mean() - REAL.mean(), -FAKE.mean()),
}


@pytest.mark.parametrize("name", TABLE)
def test_the_table(name: str) -> None:
    loss, (discriminator, generator) = LOSSES[name], TABLE[name]
    assert float(loss.of_discriminator(REAL, FAKE)) == pytest.approx(float(discriminator))
    assert float(loss.of_generator(FAKE)) == pytest.approx(float(generator))


def test_f_gan_with_gans_divergence_is_the_saturating_gan() -> None:
    f_gan, saturating = LOSSES["fgan:gan"], LOSSES["saturating"]
    torch.testing.assert_close(
        f_gan.of_discriminator(REAL, FAKE), saturating.of_discriminator(REAL, FAKE)
    )
    torch.testing.assert_close(f_gan.of_generator(FAKE), saturating.of_generator(FAKE))


@pytest.mark.parametrize("name", [name for name in LOSSES if name.startswith("fgan:")])
def test_f_gan_is_a_game_for_one_objective(name: str) -> None:
    # What the generator minimises is, up to its sign, what the discriminator minimises of it.
    loss = LOSSES[name]
    torch.testing.assert_close(loss.fake(FAKE), -loss.generator(FAKE))


@pytest.mark.parametrize("name", LOSSES)
def test_real_goes_up_fake_goes_down_and_the_generator_pulls_up(name: str) -> None:
    for part, sign in (("real", -1), ("fake", 1), ("generator", -1)):
        v = torch.linspace(-0.9, 0.9, 7, requires_grad=True)
        (slope,) = torch.autograd.grad(getattr(LOSSES[name], part)(v).sum(), v)
        # LSGAN is symmetric around its target: only the side it starts from is asked for.
        assert bool((sign * slope[v >= 0 if part == "fake" else v <= 0] >= 0).all()), part
        assert bool((slope != 0).any()), part


def test_gradient_of_the_sigmoid_gan() -> None:
    # Tan et al., eqs 10 and 11: dL_D/df is −(1 − D) on real samples and D on generated ones.
    real, fake = REAL.clone().requires_grad_(), FAKE.clone().requires_grad_()
    LOSSES["nsgan"].of_discriminator(real, fake).backward()  # type: ignore[no-untyped-call]
    torch.testing.assert_close(real.grad, -(1 - D_REAL) / 5)
    torch.testing.assert_close(fake.grad, D_FAKE / 5)


def test_the_conditional_gan_has_a_third_term() -> None:
    wrong = torch.tensor([0.5, -1.0], dtype=torch.float64)
    three = LOSSES["nsgan"].of_discriminator(REAL, FAKE, wrong)
    expected = -D_REAL.log().mean() - (1 - D_FAKE).log().mean() - (1 - wrong.sigmoid()).log().mean()
    torch.testing.assert_close(three, expected)
