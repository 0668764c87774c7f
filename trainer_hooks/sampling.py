"""Call a generator for one batch, piece by piece, and leave no trace of it in the training."""

from collections.abc import Callable
from typing import Any

from trainer_hooks.collective import collective_kind
from trainer_hooks.errors import SamplesError, message_of
from trainer_hooks.pieces import FEWEST, Pieces
from trainer_hooks.reach import Reach
from trainer_hooks.untouched import untouched, waits_for_ranks

#: Mixed into the step to seed the noise: trainers themselves are often seeded with small numbers.
NOISE_SEED = 0x5D5D5D


class Sampler:
    """Runs one callable ``n -> batch`` for one batch.

    Args:
        source: the trainer's callable.
        pieces: says how many samples to ask for at once.
        training: mode of the modules while sampling; None leaves them as they are.
        seed: of the noise; RNG states are put back afterwards.
    """

    def __init__(
        self,
        source: Callable[[int], Any],
        pieces: Pieces,
        *,
        training: bool | None = None,
        seed: int = 0,
    ) -> None:
        self._source = source
        self._pieces = pieces
        self._training = training
        self._seed = NOISE_SEED ^ seed

    def draw(self, samples: int, accept: Callable[[Any], int]) -> None:
        """Hand what the callable returns to `accept`, which says how many samples are still wanted,
        until there are `samples`.

        Raises:
            SamplesError: the callable reaches a module that waits for other ranks, or raised.
        """
        reach = Reach(self._source)
        modules = _callable_alone(reach)
        fewest, missing = min(samples, FEWEST), samples
        with untouched(modules, reach.generators, training=self._training, seed=self._seed):
            while missing:
                # A callable that returns fewer than it was asked for may leave one.
                missing = accept(self._call(self._pieces.size(max(missing, fewest))))

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
