"""What a callable reaches is found, however it is written; what is large does not stall."""

import functools
import random
import sys
import types
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from trainer_hooks.reach import MOST_OBJECTS, Reach

NET = nn.Linear(2, 2)
GENERATOR = random.Random(1)


@dataclass(slots=True)
class Slotted:
    """Has no ``__dict__``."""

    net: nn.Module


class Lazy:
    """Raises at any question, as unset proxies do."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError("not configured")


def by_global(n: int) -> Any:
    return NET(torch.zeros(n, 2))


def by_comprehension(n: int) -> Any:
    return [NET(torch.zeros(1, 2)) for _ in range(n)]


def by_inner_function(n: int) -> Any:
    def inner() -> Any:
        return by_global(n)

    return inner()


def by_default(n: int, net: nn.Module = NET, *, again: nn.Module = NET) -> Any:
    return net(again(torch.zeros(n, 2)))


def by_closure() -> Any:
    net = NET
    return lambda n: net(torch.zeros(n, 2))


def by_deep_containers() -> Any:
    holder = {"a": [({"b": NET},)]}
    return lambda n: holder["a"][0][0]["b"](torch.zeros(n, 2))


def by_slots() -> Any:
    holder = Slotted(NET)
    return lambda n: holder.net(torch.zeros(n, 2))


def by_module_attribute() -> Any:
    module = types.ModuleType("my_networks")
    vars(module)["NET"] = NET
    return lambda n: module.NET(torch.zeros(n, 2))


@pytest.mark.parametrize(
    "source",
    [
        NET,
        NET.forward,
        by_global,
        by_comprehension,
        by_inner_function,
        by_default,
        by_closure(),
        by_deep_containers(),
        by_slots(),
        by_module_attribute(),
        functools.partial(by_closure(), n=3),
        functools.partial(lambda net, n: net(n), NET),
    ],
)
def test_module_is_found(source: Any) -> None:
    assert Reach(source).modules == [NET]


def test_generators_are_found_and_what_has_no_state_is_not() -> None:
    numbers, noise = np.random.default_rng(1), torch.Generator()
    system = random.SystemRandom()

    def source(n: int) -> Any:
        return numbers, noise, system, GENERATOR.random()

    assert Reach(source).generators == [noise, numbers, GENERATOR]


def test_what_raises_at_questions_hides_nothing_else() -> None:
    lazy, net = Lazy(), NET

    def source(n: int) -> Any:
        return lazy, net

    assert Reach(source).modules == [NET]


def test_variable_that_is_not_assigned_yet() -> None:
    def source(n: int) -> Any:
        return later, NET

    assert Reach(source).modules == [NET]
    later = 1


def test_library_functions_lead_nowhere() -> None:
    reach = Reach(lambda n: torch.nn.functional.interpolate(torch.zeros(n, 1, 2, 2)))
    assert reach.modules == []
    assert "interpolate" in reach.names
    assert "module" not in Reach(NET.__call__).names


def test_cycles_end_and_everything_is_looked_at_once() -> None:
    ring: dict[str, Any] = {"net": NET}
    ring["self"] = [ring]
    assert Reach(lambda n: ring).modules == [NET]


def test_large_data_in_reach_does_not_stall(monkeypatch: pytest.MonkeyPatch) -> None:
    data = [[object() for _ in range(200)] for _ in range(1000)]
    looked: list[object] = []
    original = Reach._look

    def counting(self: Reach, value: object, names: frozenset[str]) -> Any:
        looked.append(value)
        return original(self, value, names)

    monkeypatch.setattr(Reach, "_look", counting)
    Reach(lambda n: data)
    assert len(looked) <= MOST_OBJECTS


def test_without_torch_it_still_searches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "torch")
    reach = Reach(lambda n: GENERATOR.random())
    assert reach.generators == [GENERATOR]
