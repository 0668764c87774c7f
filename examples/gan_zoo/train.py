"""`python -m examples.gan_zoo.train`: one training of the zoo, with the two hook calls."""

import signal
import sys
from dataclasses import asdict
from queue import SimpleQueue

import torch

from examples.gan_zoo import checkpoint
from examples.gan_zoo.command_line import Parser, Session, parse
from examples.gan_zoo.progress import Progress
from examples.gan_zoo.training import Training
from trainer_hooks import Run, push_samples, push_weights, start


def train(training: Training, session: Session, run: Run, told: "SimpleQueue[int]") -> None:
    """Train and push until the iterations are done, or until it is told or asked to stop."""
    progress = Progress(run.id, session.iterations, training.step)
    epoch_steps = training.data.epoch_steps(training.recipe.batch)
    while training.step < session.iterations and told.empty() and not run.should_stop():
        step = training.step
        scalars = training.iterate()
        epoch = step / epoch_steps
        push_weights(step, G=training.netG, D=training.netD, epoch=epoch, scalars=scalars)
        push_samples(step, training.sample, epoch=epoch)
        progress.report(training.step, scalars)
        if session.checkpoint and training.step % session.checkpoint_every == 0:
            checkpoint.save(training, run.id, session.checkpoint)
    if session.checkpoint:
        checkpoint.save(training, run.id, session.checkpoint)


def main(argv: list[str] | None = None) -> None:
    """Parse the arguments and train."""
    recipe, session = parse(argv)
    torch.set_num_threads(session.threads)
    device = session.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    resumed = None
    try:
        training = Training(recipe, device)
        if session.checkpoint:
            resumed = checkpoint.resume(training, session.checkpoint)
        run = start(
            resumed or session.run,
            samples=session.samples,
            samples_every=session.samples_every,
            resume=resumed is not None,
            config=asdict(recipe),
            tags=["gan-zoo"],
        )
    except (ValueError, OSError, RuntimeError, AssertionError) as error:
        # The last two are torch's, where there is no such device.
        Parser().error(str(error).splitlines()[0])
    told: SimpleQueue[int] = SimpleQueue()
    for number in (signal.SIGINT, signal.SIGTERM):
        # Told to stop, it saves and finishes its run, rather than lose it.
        signal.signal(number, lambda number, _: told.put(number))
    with run:
        train(training, session, run, told)
    print(f"{run.id}: {training.step} iterations done", file=sys.stderr)


if __name__ == "__main__":
    main()
