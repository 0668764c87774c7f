"""Scalars: names that are taken, values of every kind, nothing that waits or warns."""

import logging
from typing import Any

import numpy as np
import pytest
import torch

from trainer_hooks.complaints import Complaints
from trainer_hooks.errors import HookError
from trainer_hooks.landing import Landing
from trainer_hooks.push_queue import PushQueue
from trainer_hooks.scalars import MOST_SCALARS, MOST_TOLD, Scalars


@pytest.fixture
def queue() -> PushQueue:
    return PushQueue(2**20)


@pytest.fixture
def scalars(queue: PushQueue) -> Scalars:
    return Scalars(Complaints(queue, strict=False))


@pytest.mark.parametrize(
    "value",
    [
        0.5,
        np.float32(0.5),
        np.array(0.5),
        np.array([0.5]),
        np.array([[0.5]]),
        torch.tensor(0.5),
        torch.tensor([0.5]),
        torch.tensor(0.5, requires_grad=True),
        torch.tensor(1.0, requires_grad=True) / 2,
        torch.tensor(0.5, dtype=torch.bfloat16),
    ],
    ids=repr,
)
def test_numbers_of_every_kind_without_a_warning(scalars: Scalars, value: Any) -> None:
    assert scalars.read({"loss": value}) == {"loss": 0.5}


def test_whole_numbers_truth_and_what_is_not_finite(scalars: Scalars) -> None:
    values = {"a": 3, "b": True, "c": float("inf"), "d": torch.tensor(2), "e": np.int64(7)}
    assert scalars.read(values) == {"a": 3.0, "b": 1.0, "c": float("inf"), "d": 2.0, "e": 7.0}


@pytest.mark.parametrize(
    "value",
    [
        None,
        "much",
        [1.0],
        np.zeros(2),
        torch.zeros(2),
        torch.zeros(0),
        torch.tensor(1j),
        10**400,
        object(),
        type("DTensor", (torch.Tensor,), {})(1),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_no_number_is_counted_and_the_others_stay(
    scalars: Scalars, queue: PushQueue, value: Any
) -> None:
    assert scalars.read({"bad": value, "good": 1.0}) == {"good": 1.0}
    assert queue.dropped() == {"bad_scalar": 1}


@pytest.mark.parametrize("name", ["Q", "D", "S.G", "S.", "Q.x", "D.cwj", "S.G/w", "S.a\u2028b"])
def test_names_of_metrics_are_kept_aside_with_one_warning(
    scalars: Scalars, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert scalars.read({name: 1.0}) == {f"scalar.{name}": 1.0}
    assert len(caplog.records) == 1


@pytest.mark.parametrize(
    "name",
    [
        "loss.G", "S", "Quality", "D_loss", "scalar.Q", "q", "d.x", "loss/G", "%41", ":", "*",
        "{0}", " spaces ", "<img src=x onerror=alert(1)>", "损失", "🎲", "a" * 256, "Q@epoch",
    ],
)  # fmt: skip
def test_other_names_stay_as_they_are(scalars: Scalars, name: str) -> None:
    assert scalars.read({name: 1.0}) == {name: 1.0}


@pytest.mark.parametrize("name", ["", "a" * 257, "tab\there", "\x00", "\ud800", 7, None, ("a",)])
def test_bad_names_are_counted(scalars: Scalars, queue: PushQueue, name: Any) -> None:
    assert scalars.read({name: 1.0, "good": 2.0}) == {"good": 2.0}
    assert queue.dropped() == {"bad_scalar": 1}


def test_every_bad_one_is_named_once_but_not_a_thousand_of_them(
    scalars: Scalars, queue: PushQueue, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        scalars.read({"a": "x", "b": None, "good": 1.0, 7: 1.0})
    told = [record.getMessage() for record in caplog.records]
    assert [text.split(" is not kept: ")[0] for text in told] == [
        "sqd: scalar 'a'", "sqd: scalar 'b'", "sqd: scalar 7",
    ]  # fmt: skip
    scalars.read({f"norm.{i}": "x" for i in range(500)})
    assert len(caplog.records) == MOST_TOLD + 1
    assert queue.dropped() == {"bad_scalar": 506}


def test_same_name_twice_after_it_was_moved_aside(scalars: Scalars, queue: PushQueue) -> None:
    assert scalars.read({"Q": 1.0, "scalar.Q": 2.0}) == {"scalar.Q": 1.0}
    assert queue.dropped() == {"bad_scalar": 1}


def test_more_than_a_frame_holds(scalars: Scalars, queue: PushQueue) -> None:
    values = scalars.read({f"norm.{i}": 1.0 for i in range(MOST_SCALARS + 5)})
    assert len(values) == MOST_SCALARS
    assert queue.dropped() == {"bad_scalar": 5}


def test_strict_raises(queue: PushQueue) -> None:
    with pytest.raises(HookError, match="shape"):
        Scalars(Complaints(queue, strict=True)).read({"loss": torch.zeros(2)})


def test_tensor_on_a_device_is_copied_there_and_read_later(scalars: Scalars) -> None:
    loss = torch.zeros((), device="meta", requires_grad=True)
    (value,) = scalars.read({"loss": loss}).values()
    assert isinstance(value, Landing)
    assert not value.landed
    assert value.nbytes == 8
