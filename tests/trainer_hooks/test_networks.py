"""Networks of a push: one that cannot be taken fails alone, with its reason."""

import itertools
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from trainer_hooks import schedule
from trainer_hooks.complaints import Complaints
from trainer_hooks.errors import NetworkError
from trainer_hooks.networks import MOST_NETWORKS, SNAPSHOT_COPIES, Networks, Taken, gathered
from trainer_hooks.push_queue import PushQueue
from trainer_hooks.schedule import BACKGROUND_SNAPSHOTS
from trainer_hooks.settings import read_settings
from trainer_hooks.sketch import BUCKETS

W = {"w": np.ones(4, np.float32)}


@pytest.fixture
def queue() -> PushQueue:
    return PushQueue(2**20)


@pytest.fixture
def networks(queue: PushQueue) -> Networks:
    return made(queue)


def made(queue: PushQueue, **options: Any) -> Networks:
    settings = read_settings({"SQD_HOME": str(Path.cwd())}, run="test", **options)
    return Networks(settings, Complaints(queue, strict=settings.strict))


def take(networks: Networks, named: Any, **problems: str) -> Taken:
    return networks.take(named, problems=problems)


def test_calls_are_counted_for_each_network(networks: Networks) -> None:
    calls = [take(networks, named).calls for named in ({"G": W}, {"G": W, "D": W}, {"D": W})]
    assert calls == [{"G": 1}, {"G": 2, "D": 1}, {"D": 2}]


BAD: dict[str, Any] = {
    "nothing": None,
    "empty": {},
    "without weights": nn.ReLU(),
    "text": {"w": "x"},
    "nameless": {"": W["w"]},
    "not shaped yet": nn.LazyLinear(2),
    "without numbers": nn.Linear(2, 2, device="meta"),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_bad_network_fails_alone(networks: Networks, queue: PushQueue, bad: object) -> None:
    taken = take(networks, {"G": W, "E": bad, "D": W})
    assert list(taken.snapshots) == ["G", "D"]
    ((metric, reason),) = taken.failures
    assert metric == "S.E"
    assert reason
    assert "\n" not in reason
    assert queue.dropped() == {"bad_network": 1}


@pytest.mark.parametrize("name", ["", "G/main", "G@epoch", "G\n", "G" * 129, 7, None, "\ud800"])
def test_bad_names_leave_the_others(networks: Networks, queue: PushQueue, name: Any) -> None:
    taken = take(networks, {name: W, "D": W})
    assert list(taken.snapshots) == ["D"]
    assert taken.failures == []
    assert queue.dropped() == {"bad_name": 1}


@pytest.mark.parametrize("name", ["G" * 128, "G@ema", "G:1", "%", "*{}", "生成器", " ", "<img>"])
def test_other_names_are_taken(networks: Networks, name: str) -> None:
    assert list(take(networks, {name: W}).snapshots) == [name]


def test_known_problems_are_told_for_their_network(networks: Networks) -> None:
    taken = take(networks, {"G": W, "D": W}, G="it is given twice")
    assert taken.failures == [("S.G", "it is given twice")]
    assert list(taken.snapshots) == ["D"]


def test_network_beyond_the_budget_says_what_to_do(queue: PushQueue) -> None:
    budget = 8 * 2**20
    networks = made(queue, weights="full", budget_bytes=budget)
    most = budget // SNAPSHOT_COPIES // 4
    half = {"w": np.zeros(most // 2, np.float32)}
    taken = take(networks, {"G": half, "D": half, "E": W})
    assert list(taken.snapshots) == ["G", "D"]
    ((metric, reason),) = taken.failures
    assert metric == "S.E"
    assert "raise it, or push weights='sketch'" in reason


def test_thinned_calls_take_nothing_and_keep_pairs_adjacent(queue: PushQueue) -> None:
    networks = made(queue, weights_every=4)
    calls = [take(networks, {"G": W}).calls.get("G") for _ in range(10)]
    assert calls == [1, 2, None, None, 5, 6, None, None, 9, 10]


def test_the_last_call_of_an_epoch_is_taken_however_thinned(queue: PushQueue) -> None:
    """Its angle is from one epoch's end to the next, for each network by its own calls."""
    networks = made(queue, weights_every=100)
    found: dict[str, list[int]] = {"G": [], "D": []}
    for step in range(40):
        for name in found:
            if networks.take({name: W}, problems={}, epoch=step // 10).snapshots:
                found[name].append(step)
    assert found == {"G": [0, 1, 19, 29, 39], "D": [0, 1, 19, 29, 39]}


def test_work_of_our_threads_thins_large_snapshots_only(
    queue: PushQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule, "BACKGROUND_S", 0.0)
    spent_s = itertools.count(0.0, 1e6)
    settings = read_settings(
        {"SQD_HOME": str(Path.cwd())}, run="test", weights="full", max_overhead=1.0
    )
    networks = Networks(settings, Complaints(queue, strict=True), lambda: next(spent_s))
    large = {"w": np.ones(BUCKETS + 1, np.float32)}
    taken = Counter(
        name
        for _ in range(4 * BACKGROUND_SNAPSHOTS)
        for name in take(networks, {"G": large, "D": W}).snapshots
    )
    assert taken["D"] == 4 * BACKGROUND_SNAPSHOTS
    assert taken["G"] < taken["D"]


def test_more_networks_than_a_frame_holds(networks: Networks, queue: PushQueue) -> None:
    taken = take(networks, {str(i): W for i in range(MOST_NETWORKS + 3)})
    assert len(taken.snapshots) == MOST_NETWORKS
    assert queue.dropped() == {"bad_name": 3}


def test_strict_raises(queue: PushQueue) -> None:
    with pytest.raises(NetworkError):
        take(made(queue, strict=True), {"G": {}})


def test_networks_come_both_ways() -> None:
    assert gathered({"G 1": W}, {"D": W}) == ({"G 1": W, "D": W}, {})
    assert gathered(None, {"D": W}) == ({"D": W}, {})


def test_network_given_twice_is_a_problem_of_its_own() -> None:
    named, problems = gathered({"G": W}, {"G": W, "D": W})
    assert list(named) == ["G", "D"]
    assert problems == {"G": "network 'G' is given twice in one push"}


def test_problem_of_the_call_is_that_of_each_network() -> None:
    assert gathered({"G": W}, {"D": W}, "bad shard")[1] == {"G": "bad shard", "D": "bad shard"}


def test_network_without_a_name_is_explained() -> None:
    with pytest.raises(NetworkError, match=r"not a Linear; .*push_weights\(step, G=netG\)"):
        gathered(nn.Linear(2, 2), {})


@pytest.mark.parametrize("inside", [{"G 1": W}, {"G": torch.nn.Linear(2, 2)}])
def test_mapping_of_networks_by_keyword_says_how_it_is_given(inside: Any) -> None:
    problems = gathered(None, {"networks": inside})[1]
    assert problems["networks"].startswith("networks are given by position")
    # A network may be called so.
    assert gathered(None, {"networks": W})[1] == {}
