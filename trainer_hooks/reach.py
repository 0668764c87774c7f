"""What a callable can reach: the torch modules and random generators that a call may change."""

import contextlib
import functools
import itertools
import random
import sys
import types
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

#: How far the search follows closures, attributes and containers.
SEARCH_DEPTH = 6
#: Objects looked at, and items of one container: a data set in reach must not stall the training.
MOST_OBJECTS, MOST_ITEMS = 20_000, 500
#: Libraries that hold no trainer's state but much else.
LIBRARIES = ("torch", "torchvision", "numpy", "builtins")

Names = frozenset[str]


class Reach:
    """Breadth-first search from a callable.

    Args:
        source: the trainer's callable.

    Attributes:
        modules: torch modules found, outermost only.
        generators: random generators found outside them.
        names: every name and attribute that the code found on the way mentions.
    """

    def __init__(self, source: object) -> None:
        self.modules: list[Any] = []
        self.generators: list[Any] = []
        self.names: set[str] = set()
        self._torch: Any = sys.modules.get("torch")
        # Values are kept until the end: the id of one that is gone could be another's.
        self._seen: dict[int, object] = {}
        self._search(source)

    def _search(self, source: object) -> None:
        waiting: deque[tuple[object, Names, int]] = deque([(source, frozenset(), 0)])
        while waiting and len(self._seen) < MOST_OBJECTS:
            value, names, depth = waiting.popleft()
            if id(value) in self._seen:
                continue
            self._seen[id(value)] = value
            # Proxies and lazy objects may raise at any question; what they hide the guard finds.
            with contextlib.suppress(Exception):
                names = names | _names_in(value)
                inside = self._look(value, names)
                if depth < SEARCH_DEPTH:
                    waiting.extend((part, names, depth + 1) for part in inside)

    def _look(self, value: object, names: Names) -> Iterable[object]:
        """File `value` if it is what is searched for, else say what is in it."""
        self.names |= names
        if self._torch is not None and isinstance(value, self._torch.nn.Module):
            self.modules.append(value)
            return ()
        if is_generator(value, self._torch):
            self.generators.append(value)
            return ()
        return itertools.islice(_inside(value, names), MOST_ITEMS)


def is_generator(value: object, torch: Any) -> bool:
    """Whether `value` is a random generator whose state can be kept."""
    if isinstance(value, random.SystemRandom):
        return False
    if isinstance(value, np.random.Generator | np.random.RandomState | random.Random):
        return True
    return torch is not None and isinstance(value, torch.Generator)


def _names_in(value: object) -> Names:
    """Names that a function's code mentions, comprehensions and inner functions included."""
    function = value.__func__ if isinstance(value, types.MethodType) else value
    if not isinstance(function, types.FunctionType) or _is_library(function.__module__):
        return frozenset()
    names: set[str] = set()
    codes = [function.__code__]
    while codes:
        code = codes.pop()
        names.update(code.co_names)
        codes += [constant for constant in code.co_consts if isinstance(constant, types.CodeType)]
    return frozenset(names)


def _inside(value: object, names: Names) -> Iterable[object]:
    if isinstance(value, functools.partial):
        return (value.func, *value.args, *value.keywords.values())
    if isinstance(value, types.MethodType):
        return (value.__self__, value.__func__)
    if isinstance(value, types.FunctionType):
        return () if _is_library(value.__module__) else _inside_function(value, names)
    if isinstance(value, types.ModuleType):
        return () if _is_library(value.__name__) else _chosen(vars(value), names)
    if isinstance(value, dict):
        return value.values()
    if isinstance(value, list | tuple | set | frozenset):
        return value
    if isinstance(value, type) or _is_library(type(value).__module__):
        return ()
    return _inside_instance(value, names)


def _inside_function(function: types.FunctionType, names: Names) -> Iterator[object]:
    for cell in function.__closure__ or ():
        with contextlib.suppress(ValueError):  # an empty cell: not assigned yet
            yield cell.cell_contents
    yield from function.__defaults__ or ()
    yield from (function.__kwdefaults__ or {}).values()
    yield from _chosen(function.__globals__, names)


def _inside_instance(value: object, names: Names) -> Iterator[object]:
    # Attributes are read from where they lie: asking the object could run the trainer's code.
    with contextlib.suppress(Exception):
        yield from list(vars(value).values())
    for kind in type(value).__mro__:
        parts = vars(kind)
        yield from _chosen(parts, names | {"__call__"}, types.FunctionType)
        yield from _filled_slots(value, parts)


def _filled_slots(value: object, parts: Any) -> Iterator[object]:
    for slot in parts.values():
        if isinstance(slot, types.MemberDescriptorType):
            with contextlib.suppress(Exception):
                yield slot.__get__(value)


def _is_library(module_name: object) -> bool:
    return str(module_name).partition(".")[0] in LIBRARIES


def _chosen(
    values: Any, names: Iterable[str], kind: type | tuple[type, ...] = object
) -> list[object]:
    found = (values.get(name) for name in names)
    return [value for value in found if value is not None and isinstance(value, kind)]
