"""A tiny GAN on noise, and one training loop of every kind that people write around one."""

import copy
import functools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus
from torch.nn.utils.parametrizations import spectral_norm
from torch.optim.swa_utils import AveragedModel

#: Size of noise and images, and images of a step.
NOISE, SIZE, BATCH = 4, 4, 6
#: Micro-batches of one step where gradients accumulate.
ACCUMULATED = 4

Networks = dict[str, Any]
#: One iteration after the other: networks and losses as a trainer has them at its end.
Loop = Callable[[], Iterator[tuple[Networks, dict[str, Tensor]]]]


def noise(n: int = BATCH) -> Tensor:
    return torch.randn(n, NOISE)


def generator() -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(NOISE, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.2),
        nn.Linear(8, SIZE * SIZE), nn.Tanh(), nn.Unflatten(1, (1, SIZE, SIZE)),
    )  # fmt: skip


def discriminator() -> nn.Sequential:
    return nn.Sequential(
        nn.Flatten(), spectral_norm(nn.Linear(SIZE * SIZE, 8)), nn.LeakyReLU(), nn.Linear(8, 1)
    )


def losses(G: Any, D: Any) -> tuple[Tensor, Tensor]:
    """Of D and of G, for one batch."""
    fake, real = G(noise()), torch.rand(BATCH, 1, SIZE, SIZE)
    return softplus(-D(real)).mean() + softplus(D(fake.detach())).mean(), softplus(-D(fake)).mean()


def adam(net: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.Adam(net.parameters(), 1e-2)


def descend(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()


def two_optimizers(
    wrap: Callable[[nn.Module], Any] = lambda net: net,
    precision: Callable[[], AbstractContextManager[Any]] = nullcontext,
) -> Iterator[tuple[Networks, dict[str, Tensor]]]:
    """The plain loop: one optimizer for each network."""
    G, D = wrap(generator()), wrap(discriminator())
    optG, optD = adam(G), adam(D)
    while True:
        with precision():
            errD, _ = losses(G, D)
        descend(optD, errD)
        with precision():
            _, errG = losses(G, D)
        descend(optG, errG)
        yield {"G": G, "D": D}, {"loss.G": errG, "loss.D": errD}


def mixed_precision() -> Iterator[tuple[Networks, dict[str, Tensor]]]:
    """`torch.autocast` to bfloat16, and a GradScaler as the same script has on a CPU: disabled."""
    G, D = generator(), discriminator()
    optG, optD = adam(G), adam(D)
    scaler = torch.amp.GradScaler(enabled=False)
    while True:
        for optimizer, which in ((optD, 0), (optG, 1)):
            with torch.autocast("cpu", torch.bfloat16):
                loss = losses(G, D)[which]
            optimizer.zero_grad()
            scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
            scaler.step(optimizer)
            scaler.update()
        yield {"G": G, "D": D}, {"loss.G": loss}


def compiled() -> Iterator[tuple[Networks, dict[str, Tensor]]]:
    """`torch.compile`, traced and differentiated ahead; kernels are left out, they take minutes."""
    return two_optimizers(functools.partial(torch.compile, backend="aot_eager"))


def half_precision() -> Iterator[tuple[Networks, dict[str, Tensor]]]:
    """One optimizer, and weights that are bfloat16 themselves."""
    G = generator().bfloat16()
    optimizer = torch.optim.SGD(G.parameters(), 0.1)
    while True:
        loss = (G(noise().bfloat16()) ** 2).mean()
        descend(optimizer, loss)
        yield {"G": G}, {"loss.G": loss}


def accumulation() -> Iterator[tuple[Networks, dict[str, Tensor]]]:
    """The optimizers step once in `ACCUMULATED` iterations; hooks are called at each."""
    G, D = generator(), discriminator()
    optimizers = adam(G), adam(D)
    while True:
        for part in range(ACCUMULATED):
            errD, errG = losses(G, D)
            (errD + errG).backward()  # type: ignore[no-untyped-call]
            if part == ACCUMULATED - 1:
                for optimizer in optimizers:
                    optimizer.step()
                    optimizer.zero_grad()
            yield {"G": G, "D": D}, {"loss.G": errG, "loss.D": errD}


def averages() -> Iterator[tuple[Networks, dict[str, Tensor]]]:
    """Two averages of the generator: torch's own, and one by hand, as most GAN code has it."""
    average: Any = None
    for networks, errors in two_optimizers():
        G = networks["G"]
        if average is None:
            average, by_hand = AveragedModel(G, use_buffers=True), copy.deepcopy(G).eval()
        average.update_parameters(G)
        with torch.no_grad():
            for mean, now in zip(by_hand.parameters(), G.parameters(), strict=True):
                mean.lerp_(now, 0.1)
        yield {**networks, "EMA": average, "EMA by hand": by_hand}, errors


def three_networks() -> Iterator[tuple[Networks, dict[str, Tensor]]]:
    """An encoder beside the two."""
    E = nn.Sequential(nn.Flatten(), nn.Linear(SIZE * SIZE, NOISE))
    optE = adam(E)
    for networks, errors in two_optimizers():
        z = noise()
        errE = ((E(networks["G"](z).detach()) - z) ** 2).mean()
        descend(optE, errE)
        yield {**networks, "E": E}, {**errors, "loss.E": errE}


LOOPS: dict[str, Loop] = {
    "two optimizers": two_optimizers,
    "mixed precision": mixed_precision,
    "half precision": half_precision,
    "compiled": compiled,
    "accumulation": accumulation,
    "averages": averages,
    "three networks": three_networks,
}
