"""Train an embedder to tell the identities of a labelled folder apart, with the ArcFace loss."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor, nn

from monitor.diversity.faces100.arcface import ArcFaceLoss
from monitor.diversity.modes import nearest_mode
from monitor.diversity.reference import unit_length
from monitor.diversity.trained.network import DIMENSION, TrainedNetwork
from monitor.diversity.trained.pictures import Pictures
from monitor.diversity.trained.views import random_views

#: Pictures in a step.
BATCH = 64
#: Steps in a round, after which accuracy is checked: all pictures once, but at least these.
LEAST_STEPS = 40
#: First learning rate and weight decay of AdamW.
LEARNING_RATE, WEIGHT_DECAY = 1e-3, 5e-2
#: Rounds without a better accuracy after which the learning rate falls to a third; rounds that are
#: no better after which training ends.
SLOW_DOWN_ROUNDS, STOP_ROUNDS = 3, 8
#: Part of the loss that must go for a round of equal accuracy to count as better.
LEAST_GAIN = 0.02
#: Pictures that a check looks at, at most: held out, and of each identity for its mean.
MOST_CHECKED, MOST_PER_MEAN = 5000, 16


@dataclass(frozen=True, slots=True)
class Report:
    """How well a network tells identities apart.

    Attributes:
        accuracy: share of the held-out pictures that are nearest to their own identity's mean.
        chance: what guessing would reach.
        rounds: trained.
        best_round: whose weights were kept.
        checked: held-out pictures looked at.
    """

    accuracy: float
    chance: float
    rounds: int
    best_round: int
    checked: int


def train(
    pictures: Pictures,
    *,
    rounds: int,
    seed: int = 0,
    device: str = "cpu",
    on_round: Callable[[int, float, float], None] = lambda number, loss, accuracy: None,
) -> tuple[nn.Module, Report]:
    """Train until accuracy on held-out pictures no longer rises; keep the best weights.

    Args:
        pictures: to train and check with.
        rounds: at most.
        seed: of everything drawn.
        device: where it trains.
        on_round: told the round's number from 1, its mean loss and the accuracy after it.

    Returns:
        The network in evaluation mode on the CPU, and how well it does.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = TrainedNetwork().to(device)
    generator = Generator().manual_seed(seed)
    loss = ArcFaceLoss(DIMENSION, len(pictures.labels), generator).to(device)
    parameters = [*network.parameters(), *loss.parameters()]
    optimizer = torch.optim.AdamW(parameters, LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    slow_down = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, "max", factor=1 / 3, patience=SLOW_DOWN_ROUNDS
    )
    best, least, best_round, kept, number = -math.inf, math.inf, 0, {}, 0
    for number in range(1, rounds + 1):
        error = _round(network, loss, optimizer, pictures, generator)
        reached = accuracy(network, pictures)
        on_round(number, error, reached)
        slow_down.step(reached)
        # Where all are told apart already, a smaller loss is a wider margin between them.
        if reached > best or (reached == best and error < least * (1 - LEAST_GAIN)):
            best, least, best_round = reached, error, number
            kept = {name: value.clone() for name, value in network.state_dict().items()}
        if number - best_round >= STOP_ROUNDS:
            break
    network.load_state_dict(kept)
    checked = min(MOST_CHECKED, len(pictures.held_out))
    report = Report(best, 1 / len(pictures.labels), number, best_round, checked)
    return network.cpu().eval(), report


def _round(
    network: nn.Module,
    loss: ArcFaceLoss,
    optimizer: torch.optim.Optimizer,
    pictures: Pictures,
    generator: Generator,
) -> float:
    """One round of training; its mean loss."""
    network.train()
    device = loss.centres.device
    steps = max(LEAST_STEPS, math.ceil(len(pictures.train) / BATCH))
    total = 0.0
    for _ in range(steps):
        drawn = torch.randint(len(pictures.train), (BATCH,), generator=generator).numpy()
        rows = pictures.train[drawn]
        views = random_views(_pixels(pictures, rows).to(device), generator)
        error = loss(network(views), torch.from_numpy(pictures.identity[rows]).to(device))
        optimizer.zero_grad()
        error.backward()
        optimizer.step()
        total += float(error.detach())
    return total / steps


@torch.inference_mode()
def accuracy(network: nn.Module, pictures: Pictures) -> float:
    """Share of held-out pictures nearest to the mean of their identity, as D will assign them."""
    network.eval()
    means = np.zeros((len(pictures.labels), DIMENSION))
    known = _few_of_each(pictures.identity[pictures.train])
    rows = pictures.train[known]
    np.add.at(means, pictures.identity[rows], _features(network, pictures, rows))
    has_mean = np.flatnonzero(np.bincount(pictures.identity[rows], minlength=len(means)))
    means[has_mean] /= np.bincount(pictures.identity[rows])[has_mean, None]
    step = math.ceil(len(pictures.held_out) / MOST_CHECKED)
    checked = pictures.held_out[::step]
    nearest = nearest_mode(_features(network, pictures, checked), means)
    return float((nearest == pictures.identity[checked]).mean())


def _few_of_each(identity: NDArray[np.int64]) -> NDArray[np.int64]:
    """Places of the first pictures of each identity."""
    order = identity.argsort(kind="stable")
    sizes = np.bincount(identity)
    rank = np.arange(len(order)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return order[rank < MOST_PER_MEAN]


def _features(
    network: nn.Module, pictures: Pictures, rows: NDArray[np.int64]
) -> NDArray[np.float32]:
    """(k, d) features of length 1."""
    device = next(network.parameters()).device
    parts = [
        network(_pixels(pictures, rows[i : i + BATCH]).to(device)).cpu().numpy()
        for i in range(0, len(rows), BATCH)
    ]
    return unit_length(np.concatenate(parts))


def _pixels(pictures: Pictures, rows: NDArray[np.int64]) -> Tensor:
    """(k, 3, S, S) float32, 0 … 1."""
    return torch.from_numpy(pictures.pixels[rows]).float() / np.iinfo(np.uint8).max
