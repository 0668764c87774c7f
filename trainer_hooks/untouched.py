"""Leave no trace: RNG states, module state and autocast's cache are put back after sampling."""

import contextlib
import random
import sys
import warnings
from collections.abc import Iterator
from threading import get_ident
from typing import Any

import numpy as np

from trainer_hooks.collective import collective_kind
from trainer_hooks.errors import SamplesError
from trainer_hooks.reach import is_generator

#: NumPy takes seeds of 32 bits.
NUMPY_SEEDS = 2**32


@contextlib.contextmanager
def untouched(
    modules: list[Any], generators: list[Any], *, training: bool | None, seed: int
) -> Iterator[None]:
    """Run the body with its own noise, and put back whatever it changes.

    Args:
        modules: torch modules that it will use; others are protected when they first run.
        generators: random generators of the trainer that it may use.
        training: mode of the modules in the body; None leaves it.
        seed: of the noise in the body.
    """
    torch: Any = sys.modules.get("torch")
    with contextlib.ExitStack() as stack:
        _seed_python(stack, seed)
        for generator in generators:
            keep_generator(stack, generator)
        if torch is not None:
            _seed_torch(stack, torch, seed)
            _without_caches(stack, torch, modules)
            guard = ModuleGuard(torch, stack, training)
            for module in modules:
                guard.protect(module)
            hook = torch.nn.modules.module.register_module_forward_pre_hook(guard.before_forward)
            stack.callback(hook.remove)
            stack.enter_context(torch.no_grad())
        yield


def keep_generator(stack: contextlib.ExitStack, generator: Any) -> None:
    """Put the state of a random generator back when `stack` closes."""
    if isinstance(generator, np.random.Generator):
        bits = generator.bit_generator
        stack.callback(setattr, bits, "state", bits.state)
    elif isinstance(generator, random.Random):
        stack.callback(generator.setstate, generator.getstate())
    else:
        stack.callback(generator.set_state, generator.get_state())


def _seed_python(stack: contextlib.ExitStack, seed: int) -> None:
    stack.callback(random.setstate, random.getstate())
    random.seed(seed)
    stack.callback(np.random.set_state, np.random.get_state(legacy=False))
    np.random.seed(seed % NUMPY_SEEDS)


def _seed_torch(stack: contextlib.ExitStack, torch: Any, seed: int) -> None:
    stack.callback(torch.set_rng_state, torch.get_rng_state())
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_initialized():
        for device, generator in enumerate(torch.cuda.default_generators):
            stack.callback(torch.cuda.set_rng_state, torch.cuda.get_rng_state(device), device)
            generator.manual_seed(seed)
    if torch.backends.mps.is_available():
        stack.callback(torch.mps.set_rng_state, torch.mps.get_rng_state())
        torch.mps.manual_seed(seed)


def _without_caches(stack: contextlib.ExitStack, torch: Any, modules: list[Any]) -> None:
    # Under autocast, weights cast here, without gradients, would serve the next training step.
    stack.callback(torch.set_autocast_cache_enabled, torch.is_autocast_cache_enabled())
    torch.set_autocast_cache_enabled(False)
    if "torch._dynamo" in sys.modules and hasattr(torch.compiler, "set_stance"):
        # Compiling again for this mode takes minutes and uses up the training's own recompiles.
        stack.enter_context(torch.compiler.set_stance("force_eager"))
        if any(type(module).__name__ == "OptimizedModule" for module in modules):
            stack.enter_context(warnings.catch_warnings())
            warnings.filterwarnings("ignore", "Using `torch.compile", UserWarning)


class ModuleGuard:
    """Saves the state of modules before they first run, and puts it back.

    What is saved: every attribute, buffers by value. Meanwhile the modules write into copies of
    their buffers, so that a graph that waits for its backward pass keeps the ones it saw.

    Args:
        torch: the module.
        stack: puts everything back when it closes.
        training: mode while sampling; None leaves it.
    """

    def __init__(self, torch: Any, stack: contextlib.ExitStack, training: bool | None) -> None:
        self._torch = torch
        self._stack = stack
        self._training = training
        self._protected: set[int] = set()
        self._copies: dict[int, Any] = {}
        self._thread = get_ident()

    def before_forward(self, module: Any, _inputs: object) -> None:
        """Refuse or protect a module that the search did not find: called before every forward."""
        if get_ident() != self._thread:
            return
        kind = collective_kind(module)
        if kind:
            raise SamplesError(waits_for_ranks(kind))
        if id(module) not in self._protected:
            self.protect(module)

    def protect(self, root: Any) -> None:
        """Save `root` and every module in it."""
        for module in root.modules():
            if id(module) not in self._protected:
                self._protected.add(id(module))
                self._save(module)
        if self._training is not None:
            root.train(self._training)

    def _save(self, module: Any) -> None:
        tensors = [*module._parameters.values(), *module._buffers.values()]
        if any(tensor is not None and self._is_lazy(tensor) for tensor in tensors):
            kind = type(module).__name__
            raise SamplesError(f"a {kind} gets its shape at its first forward: train a step first")
        state, buffers = dict(vars(module)), dict(module._buffers.items())
        self._stack.callback(_put_back, module, state, buffers, module.training)
        for name, buffer in buffers.items():
            if buffer is not None:
                module._buffers[name] = self._copy(buffer)
        for value in state.values():
            if is_generator(value, self._torch):
                keep_generator(self._stack, value)

    def _is_lazy(self, tensor: Any) -> bool:
        return bool(self._torch.nn.parameter.is_lazy(tensor))

    def _copy(self, buffer: Any) -> Any:
        """The copy to write into; one for all modules that share the buffer."""
        if id(buffer) not in self._copies:
            self._copies[id(buffer)] = buffer.detach().clone()
            # Whoever still holds the buffer itself (a CUDA graph, an alias) may write to it.
            # Through `data`: autograd must not take what is put back for a change.
            self._stack.callback(buffer.data.copy_, buffer.detach().clone())
        return self._copies[id(buffer)]


def waits_for_ranks(kind: str) -> str:
    """Why a callable is refused that reaches a module of class `kind`."""
    return (
        f"the sample callable reaches a {kind}, whose forward waits for the other ranks for ever; "
        "sample the inner network instead (use .module)"
    )


def _put_back(module: Any, state: dict[str, Any], buffers: dict[str, Any], training: bool) -> None:
    attributes = vars(module)
    for name in attributes.keys() - state.keys():
        del attributes[name]
    attributes.update(state)
    for name in set(module._buffers.keys()) - buffers.keys():
        del module._buffers[name]
    for name, buffer in buffers.items():
        module._buffers[name] = buffer
    module.training = training
