"""Patience: a call that is late is lost, one that has ended never was."""

import math
import threading

import pytest

from monitor.evaluators.patience import Patience

LIMIT_S = 600.0


class Clock:
    """Goes forward when told to."""

    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_only_a_call_that_goes_on_for_too_long_is_lost() -> None:
    clock = Clock()
    patience = Patience(LIMIT_S, clock)
    assert patience.lost() == ""
    with patience.during("python:slow:score"):
        clock.now_s += LIMIT_S - 1
        assert patience.lost() == ""
        clock.now_s += 1
        said = patience.lost()
    assert said == "python:slow:score gave no answer in 600 s (--evaluator-timeout-s)"
    assert patience.lost() == ""


def test_each_call_has_the_whole_time() -> None:
    clock = Clock()
    patience = Patience(LIMIT_S, clock)
    for _ in range(3):
        with patience.during("python:slow:score"):
            clock.now_s += LIMIT_S - 1
            assert patience.lost() == ""


def test_a_call_that_raises_has_ended() -> None:
    clock = Clock()
    patience = Patience(LIMIT_S, clock)
    with pytest.raises(KeyError), patience.during("python:broken:score"):
        raise KeyError("x")
    clock.now_s += 2 * LIMIT_S
    assert patience.lost() == ""


def test_without_a_limit_nothing_is_ever_lost() -> None:
    clock = Clock()
    patience = Patience(math.inf, clock)
    with patience.during("python:slow:score"):
        clock.now_s += 1e9
        assert patience.lost() == ""


def test_another_thread_sees_it() -> None:
    clock, seen = Clock(), []
    patience = Patience(LIMIT_S, clock)
    with patience.during("python:slow:score"):
        clock.now_s += LIMIT_S
        thread = threading.Thread(target=lambda: seen.append(patience.lost()))
        thread.start()
        thread.join()
    assert seen[0].startswith("python:slow:score")
