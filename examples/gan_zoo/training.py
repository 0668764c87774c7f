"""One GAN in training: networks, optimizers and an iteration."""

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from examples.gan_zoo.data import load
from examples.gan_zoo.losses import LOSSES
from examples.gan_zoo.networks import NETWORKS, Network, build, without_batch_norm
from examples.gan_zoo.normalizers import NORMS
from examples.gan_zoo.optimizers import OPTIMIZERS
from examples.gan_zoo.recipe import Recipe
from examples.gan_zoo.regularizers import clip
from examples.gan_zoo.smoothness import measure


class Training:
    """A recipe at work, on torch's global generators.

    Attributes:
        netG, netD: the networks.
        step: iterations done.
    """

    def __init__(self, recipe: Recipe, device: str = "cpu") -> None:
        """Seed everything and begin.

        Raises:
            ValueError: the data are not there, or do not fit the network.
        """
        torch.manual_seed(recipe.seed)
        self.recipe, self.device, self.step = recipe, device, 0
        # Architectures are for one size of image, points have none.
        points = recipe.data.startswith("mixture")
        name = recipe.network or ("mlp" if points else "demo")
        if points != (NETWORKS[name].side == 0):
            raise ValueError(f"the network {name!r} does not fit the data {recipe.data!r}")
        self.data = load(recipe.data, NETWORKS[name].side)
        self._noise = NETWORKS[name].noise
        self._classes = self.data.classes if recipe.conditional else 0
        self._loss, self._penalty = LOSSES[recipe.loss], recipe.penalty_term()
        generator, discriminator = self._networks(name)
        self.netG, self.netD = generator.to(device), discriminator.to(device)
        self.optG, self.optD = self._optimizer(self.netG), self._optimizer(self.netD)
        if recipe.generator_step == "1/L":
            self.optG = torch.optim.SGD(self.netG.parameters(), 0.0)

    def _networks(self, name: str) -> tuple[Network, nn.Module]:
        recipe = self.recipe
        generator, discriminator = build(
            name,
            self.data.shape,
            classes=self._classes,
            width=recipe.width,
            activation=recipe.activation,
        )
        if recipe.norm is None:
            return generator, discriminator
        return generator, NORMS[recipe.norm](without_batch_norm(discriminator))

    def _optimizer(self, network: nn.Module) -> torch.optim.Optimizer:
        recipe = self.recipe
        return OPTIMIZERS[recipe.optimizer](
            network.parameters(), lr=recipe.learning_rate, betas=recipe.betas
        )

    def iterate(self) -> dict[str, Tensor | float]:
        """n_cr discriminator steps and a generator step (Zubkov & Filatov, Algorithm 1).

        Returns:
            Scalars by name: ``loss.G``, ``loss.D`` (SQD paper, eq 10: with its penalty),
            ``penalty.D``, ``grad.G``, ``grad.D`` (Tan et al., Figures 2 and 4), of the last steps.
        """
        scalars: dict[str, Tensor | float] = {}
        for _ in range(self.recipe.n_cr):
            scalars.update(self._step_discriminator())
        scalars.update(self._step_generator())
        self.step += 1
        return scalars

    def sample(self, n: int) -> Tensor:
        """n generated samples, with random labels if they have any."""
        labels = torch.randint(self.data.classes, (n,), device=self.device)
        samples: Tensor = self.netG(self._draw_noise(n), labels)
        return samples

    def _draw(self) -> tuple[Tensor, Tensor]:
        real, labels = self.data.draw(self.recipe.batch)
        return real.to(self.device), labels.to(self.device)

    def _draw_noise(self, n: int) -> Tensor:
        return torch.randn(n, self._noise, device=self.device)

    def _step_discriminator(self) -> dict[str, Tensor | float]:
        real, labels = self._draw()
        with torch.no_grad():
            fake = self.netG(self._draw_noise(len(real)), labels)
        critic = partial(self.netD, labels=labels)
        wrong = critic(self._draw()[0]) if self.recipe.conditional else None
        error = self._loss.of_discriminator(critic(real), critic(fake), wrong)
        scalars: dict[str, Tensor | float] = {}
        if self._penalty is not None:
            penalty = self._penalty(critic, real, fake)
            scalars["penalty.D"] = penalty.detach()
            error = error + penalty
        _descend(self.optD, error)
        if self.recipe.penalty == "clip":
            clip(self.netD.parameters(), self.recipe.clip)
        return {**scalars, "loss.D": error.detach(), "grad.D": average_gradient_norm(self.netD)}

    def _step_generator(self) -> dict[str, Tensor | float]:
        labels = self._draw()[1] if self.recipe.conditional else None
        noise = self._draw_noise(self.recipe.batch)
        # The discriminator's own gradients are not wanted here, and cost a third of the step.
        self.netD.requires_grad_(False)
        error = self._loss.of_generator(self.netD(self.netG(noise, labels), labels))
        self.optG.zero_grad()
        error.backward()  # type: ignore[no-untyped-call]
        scalars: dict[str, Tensor | float] = {"loss.G": error.detach()}
        if self.recipe.generator_step == "1/L":
            scalars.update(self._measure(noise, labels))
        self.optG.step()
        self.netD.requires_grad_(True)
        return {**scalars, "grad.G": average_gradient_norm(self.netG)}

    def _measure(self, noise: Tensor, labels: Tensor | None) -> dict[str, float]:
        """Set the generator's step to 1/L."""
        constants = measure(
            self.netG, (noise, labels), lambda x: self._loss.generator(self.netD(x, labels))
        )
        self.optG.param_groups[0]["lr"] = constants.step
        return {"smoothness.L": constants.smoothness, "step.G": constants.step}

    def state(self) -> dict[str, Any]:
        """All that goes on from here bit for bit, with the state of the random generators."""
        parts = {name: part.state_dict() for name, part in self._parts().items()}
        cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
        return {**parts, "step": self.step, "rng": torch.get_rng_state(), "cuda_rng": cuda}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what `state` returned."""
        for name, part in self._parts().items():
            part.load_state_dict(state[name])
        self.step = state["step"]
        torch.set_rng_state(state["rng"])
        if torch.cuda.is_available():
            torch.cuda.set_rng_state_all(state["cuda_rng"])

    def _parts(self) -> dict[str, nn.Module | torch.optim.Optimizer]:
        return {"netG": self.netG, "netD": self.netD, "optG": self.optG, "optD": self.optD}


def average_gradient_norm(network: nn.Module) -> Tensor:
    """Mean over the network's parameters of the norms of their gradients, a 0-d tensor."""
    gradients = [weight.grad for weight in network.parameters() if weight.grad is not None]
    return torch.stack([gradient.norm() for gradient in gradients]).mean()


def _descend(optimizer: torch.optim.Optimizer, error: Tensor) -> None:
    optimizer.zero_grad()
    error.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
