"""Call a generator and leave no trace: RNG, BatchNorm, modes and gradients stay as they were."""

import contextlib
import functools
import random
import sys
import threading
import types
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from trainer_hooks.errors import SamplesError

#: Images asked for at once: what a training step makes too, so the device has room for it.
PIECE_SAMPLES = 64
#: How far the search for modules follows attributes and closures of the callable.
SEARCH_DEPTH = 4
#: Modules whose forward waits for other ranks: sampling them on one rank would hang for ever.
COLLECTIVE_MODULES = (
    "DistributedDataParallel",
    "FullyShardedDataParallel",
    "FSDPModule",
    "SyncBatchNorm",
)
#: Mixed into the step to seed the noise: trainers themselves are often seeded with small numbers.
NOISE_SEED = 0x5D5D5D


class Sampler:
    """Runs one callable ``n -> batch`` for one batch, piece by piece.

    Args:
        source: the trainer's callable.
        training: mode of the modules while sampling; None leaves them as they are.
        seed: of the noise; RNG states are restored afterwards.
    """

    def __init__(
        self, source: Callable[[int], Any], *, training: bool | None = None, seed: int = 0
    ) -> None:
        self._source = source
        self._training = training
        self._seed = NOISE_SEED ^ seed

    def draw(self, samples: int, accept: Callable[[Any], bool]) -> None:
        """Hand batches that hold `samples` samples together to `accept` until it returns False.

        Raises:
            SamplesError: the callable reaches a module that waits for other ranks, or raised.
        """
        found = _Reached(self._source)
        found.refuse_collectives()
        with _untouched(found, self._training, self._seed):
            for size in _piece_sizes(samples):
                if not accept(self._call(size)):
                    return

    def _call(self, size: int) -> Any:
        try:
            return self._source(size)
        except SamplesError:
            raise
        except Exception as error:
            raise SamplesError(f"the sample callable raised {error!r}") from error


def _piece_sizes(samples: int) -> list[int]:
    """Nearly equal sizes, so that no piece is a batch of one (BatchNorm refuses those)."""
    count = -(-samples // PIECE_SAMPLES)
    return [samples * (i + 1) // count - samples * i // count for i in range(count)]


class _Reached:
    """The torch modules and random generators a callable can reach."""

    def __init__(self, source: object) -> None:
        self.modules: list[Any] = []
        self.generators: list[Any] = []
        self.torch: Any = sys.modules.get("torch")
        self._seen: set[int] = set()
        self._walk(source, SEARCH_DEPTH)

    def refuse_collectives(self) -> None:
        for module in self.modules:
            for part in module.modules():
                refuse_collective(part)

    def _walk(self, value: object, depth: int) -> None:
        if id(value) in self._seen or depth < 0:
            return
        self._seen.add(id(value))
        if self.torch is not None and isinstance(value, self.torch.nn.Module):
            self.modules.append(value)
        elif isinstance(value, np.random.Generator | np.random.RandomState | random.Random) or (
            self.torch is not None and isinstance(value, self.torch.Generator)
        ):
            self.generators.append(value)
        else:
            for inner in _reached_from(value):
                self._walk(inner, depth - 1)


def _reached_from(value: object) -> Iterator[object]:
    if isinstance(value, functools.partial):
        yield from (value.func, *value.args, *value.keywords.values())
    elif isinstance(value, types.MethodType):
        yield from (value.__self__, value.__func__)
    elif isinstance(value, types.FunctionType):
        for cell in value.__closure__ or ():
            with contextlib.suppress(ValueError):  # an empty cell: not assigned yet
                yield cell.cell_contents
        yield from value.__defaults__ or ()
        yield from (value.__kwdefaults__ or {}).values()
        yield from (value.__globals__.get(name) for name in value.__code__.co_names)
    elif isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, list | tuple | set | frozenset):
        yield from value
    elif not isinstance(value, type | types.ModuleType) and hasattr(value, "__dict__"):
        yield from vars(value).values()


def refuse_collective(module: Any) -> None:
    """Raise SamplesError if calling `module` on one rank would wait for the others."""
    for kind in type(module).__mro__:
        if kind.__name__ in COLLECTIVE_MODULES:
            raise SamplesError(
                f"the sample callable reaches a {kind.__name__}, whose forward waits for the other "
                "ranks for ever; sample the inner network instead (use .module)"
            )


@contextlib.contextmanager
def _untouched(found: _Reached, training: bool | None, seed: int) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        stack.callback(random.setstate, random.getstate())
        stack.callback(np.random.set_state, np.random.get_state())
        for generator in found.generators:
            stack.callback(*_restorer(generator))
        if found.torch is not None:
            stack.enter_context(_torch_untouched(found, training, seed))
        random.seed(seed)
        np.random.seed(seed % 2**32)
        yield


def _restorer(generator: Any) -> tuple[Any, ...]:
    if isinstance(generator, np.random.Generator):
        return (setattr, generator.bit_generator, "state", generator.bit_generator.state)
    if isinstance(generator, np.random.RandomState):
        return (generator.set_state, generator.get_state())
    if isinstance(generator, random.Random):
        return (generator.setstate, generator.getstate())
    return (generator.set_state, generator.get_state())


@contextlib.contextmanager
def _torch_untouched(found: _Reached, training: bool | None, seed: int) -> Iterator[None]:
    torch = found.torch
    with contextlib.ExitStack() as stack:
        stack.callback(torch.set_rng_state, torch.get_rng_state())
        torch.default_generator.manual_seed(seed)
        if torch.cuda.is_initialized():
            for device, state in enumerate(torch.cuda.get_rng_state_all()):
                stack.callback(torch.cuda.set_rng_state, state, device)
                torch.cuda.default_generators[device].manual_seed(seed)
        # Under autocast, weights cast without gradients would be reused by the next training step.
        if torch.is_autocast_enabled():
            stack.callback(torch.clear_autocast_cache)
        guard = _ModuleGuard(torch, training)
        stack.callback(guard.restore)
        for module in found.modules:
            guard.protect(module)
        hook = torch.nn.modules.module.register_module_forward_pre_hook(guard.before_forward)
        stack.callback(hook.remove)
        stack.enter_context(torch.no_grad())
        yield


class _ModuleGuard:
    """Saves buffers and modes of modules before they first run, and puts them back."""

    def __init__(self, torch: Any, training: bool | None) -> None:
        self._torch = torch
        self._training = training
        self._protected: set[int] = set()
        self._buffers: list[tuple[Any, str, Any, Any]] = []
        self._modes: list[tuple[Any, bool]] = []
        self._thread = threading.get_ident()

    def before_forward(self, module: Any, _inputs: object) -> None:
        """Protect modules that the search did not find: registered for every module's forward."""
        if threading.get_ident() == self._thread and id(module) not in self._protected:
            refuse_collective(module)
            self.protect(module)

    def protect(self, root: Any) -> None:
        for module in root.modules():
            if id(module) in self._protected:
                continue
            self._protected.add(id(module))
            for name, buffer in module._buffers.items():
                if buffer is not None:
                    self._buffers.append((module, name, buffer, buffer.detach().clone()))
            self._modes.append((module, module.training))
            if self._training is not None:
                module.training = self._training

    def restore(self) -> None:
        with self._torch.no_grad():
            for module, name, buffer, saved in self._buffers:
                buffer.copy_(saved)
                module._buffers[name] = buffer
        for module, mode in self._modes:
            module.training = mode
