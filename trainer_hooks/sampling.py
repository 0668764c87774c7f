"""Call a generator for one batch, piece by piece, and leave no trace of it in the training."""

from collections.abc import Callable, Iterator
from typing import Any

from trainer_hooks.collective import collective_kind
from trainer_hooks.errors import SamplesError, message_of
from trainer_hooks.reach import Reach
from trainer_hooks.untouched import untouched, waits_for_ranks

#: Images asked for at once: what a training step makes too, so the device has room for it.
PIECE_SAMPLES = 64
#: Mixed into the step to seed the noise: trainers themselves are often seeded with small numbers.
NOISE_SEED = 0x5D5D5D


class Sampler:
    """Runs one callable ``n -> batch`` for one batch.

    Args:
        source: the trainer's callable.
        training: mode of the modules while sampling; None leaves them as they are.
        seed: of the noise; RNG states are put back afterwards.
    """

    def __init__(
        self, source: Callable[[int], Any], *, training: bool | None = None, seed: int = 0
    ) -> None:
        self._source = source
        self._training = training
        self._seed = NOISE_SEED ^ seed

    def draw(self, samples: int, accept: Callable[[Any], bool]) -> None:
        """Hand batches of `samples` samples together to `accept`, until it returns False.

        Raises:
            SamplesError: the callable reaches a module that waits for other ranks, or raised.
        """
        reach = Reach(self._source)
        modules = _callable_alone(reach)
        with untouched(modules, reach.generators, training=self._training, seed=self._seed):
            for size in _piece_sizes(samples):
                if not accept(self._call(size)):
                    return
            # It returned fewer than it was asked for.
            while accept(self._call(min(samples, PIECE_SAMPLES))):
                pass

    def _call(self, size: int) -> Any:
        try:
            return self._source(size)
        except SamplesError:
            raise
        except Exception as error:
            raise SamplesError(f"the sample callable raised {message_of(error)}") from error


def _callable_alone(reach: Reach) -> list[Any]:
    """The modules in reach, if none of them waits for other ranks.

    A callable that says ``.module`` somewhere is believed to call what is wrapped; if it calls the
    wrapper after all, that is refused when it happens, before the wrapper's forward.
    """
    modules = [_unwrapped(module, reach) for module in reach.modules]
    for module in modules:
        for part in module.modules():
            kind = collective_kind(part)
            if kind and _unwrapped(part, reach) is part:
                raise SamplesError(waits_for_ranks(kind))
    return modules


def _unwrapped(module: Any, reach: Reach) -> Any:
    is_wrapper = collective_kind(module) and "module" in reach.names
    return getattr(module, "module", module) if is_wrapper else module


def _piece_sizes(samples: int) -> Iterator[int]:
    """Nearly equal sizes, so that no piece is a batch of one (BatchNorm refuses those)."""
    count = -(-samples // PIECE_SAMPLES)
    return (samples * (i + 1) // count - samples * i // count for i in range(count))
