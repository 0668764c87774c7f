"""The demo's trainer: a non-saturating GAN on 100 real faces, with the two hook calls.

Runs in a process of its own and imports, of this project, nothing but the hooks.
"""

import argparse
import signal
from collections.abc import Iterator
from queue import SimpleQueue

import torch
from torch import Tensor
from torch.nn.functional import softplus

from monitor.demo.faces import load_faces
from monitor.demo.networks import NOISE, SIZE, Discriminator, Generator
from trainer_hooks import Run, push_samples, push_weights, start

#: Images of one step.
BATCH = 64
#: What the demo calls an epoch. 100 images are through after 1.6 steps: the angle over so few,
#: S.G@epoch, would be S.G with noise.
EPOCH_STEPS = 100
#: Adam's step size: faces appear within two minutes, and after some 8,000 steps the training turns.
LEARNING_RATE = 8e-4
BETAS = (0.5, 0.999)
#: Samples of one batch for Q and D, and steps between batches: a batch every fifteen seconds.
SAMPLES, SAMPLES_EVERY = 500, 200


def batches(faces: Tensor) -> Iterator[Tensor]:
    """Random batches, half of them mirrored, for ever."""
    while True:
        chosen = faces[torch.randint(len(faces), (BATCH,))]
        yield chosen.flip(3) if torch.rand(()) < 0.5 else chosen


def train(run: Run, iterations: int | None, seed: int, told: "SimpleQueue[int]") -> None:
    """Train and push until `iterations` are done (None: for ever), or until told to stop."""
    torch.manual_seed(seed)
    netG, netD = Generator(), Discriminator()
    optG = torch.optim.Adam(netG.parameters(), LEARNING_RATE, BETAS)
    optD = torch.optim.Adam(netD.parameters(), LEARNING_RATE, BETAS)
    faces = load_faces(SIZE)
    for step, real in enumerate(batches(faces)):
        if step == iterations or not told.empty() or run.should_stop():
            return
        fake = netG(torch.randn(BATCH, NOISE, 1, 1))
        # Non-saturating loss (SQD paper, Table 1): −log σ(x) = softplus(−x).
        errD = softplus(-netD(real)).mean() + softplus(netD(fake.detach())).mean()
        optD.zero_grad()
        errD.backward()  # type: ignore[no-untyped-call]
        optD.step()
        errG = softplus(-netD(fake)).mean()
        optG.zero_grad()
        errG.backward()  # type: ignore[no-untyped-call]
        optG.step()
        epoch = step / EPOCH_STEPS
        push_weights(step, G=netG, D=netD, epoch=epoch, scalars={"loss.G": errG, "loss.D": errD})
        push_samples(step, lambda n: netG(torch.randn(n, NOISE, 1, 1)), epoch=epoch)


def main() -> None:
    """Parse the arguments and train."""
    parser = argparse.ArgumentParser(prog="python -m monitor.demo", description=__doc__)
    parser.add_argument("--run", default="demo", help="name of the run")
    parser.add_argument("--iterations", type=int, default=None, help="default: until stopped")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1, help="of torch")
    arguments = parser.parse_args()
    # Told to stop, it leaves by the same door as at the end, so that its run is finished, not lost.
    # An exception could be raised where it is swallowed, and the training go on without anybody.
    told: SimpleQueue[int] = SimpleQueue()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: told.put(number))
    torch.set_num_threads(arguments.threads)
    config = {"loss": "nsgan", "learning_rate": LEARNING_RATE, "batch": BATCH, "data": "faces"}
    run = start(
        arguments.run,
        samples=SAMPLES,
        samples_every=SAMPLES_EVERY,
        config={**config, "seed": arguments.seed},
        tags=["demo"],
    )
    with run:
        train(run, arguments.iterations, arguments.seed, told)


if __name__ == "__main__":
    main()
