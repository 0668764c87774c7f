"""What comes back with heartbeats: each alert told once, whoever asks; the request to stop."""

import json
from typing import Any

import pytest

from trainer_hooks.answers import Alert, Answer, onset_of, time_of
from trainer_hooks.complaints import Complaints
from trainer_hooks.control import Control
from trainer_hooks.push_queue import PushQueue


def alert(name: str, time: float = 1.0, **more: Any) -> Alert:
    return {"id": name, "kind": "mode_collapse", "step": 3, "time": time, **more}


def names(alerts: list[Alert]) -> list[str]:
    return [each["id"] for each in alerts]


def beat(*alerts: Alert, stop: bool = False) -> Answer:
    return Answer(0, alerts, stop)


@pytest.fixture
def complaints() -> Complaints:
    return Complaints(PushQueue(2**20), strict=False)


def test_alerts_are_told_once_to_each_who_listens(complaints: Complaints) -> None:
    control = Control(resumed=False)
    called: list[Alert] = []
    control.listen(called.append)
    assert control.fresh() == []
    control.hear(beat(alert("a")))
    control.hear(beat(alert("a"), alert("b")))
    assert names(control.fresh()) == ["a", "b"]
    assert called == []
    control.call_listeners(complaints)
    control.call_listeners(complaints)
    assert names(called) == ["a", "b"]
    control.hear(beat(alert("a"), alert("b"), alert("c")))
    assert names(control.fresh()) == ["c"]
    assert control.fresh() == []
    control.forget()
    control.call_listeners(complaints)
    assert names(called) == ["a", "b"]


def test_resumed_process_hears_nothing_of_what_earlier_ones_did() -> None:
    control = Control(resumed=True)
    assert control.fresh() == []
    control.hear(beat(alert("old")))
    assert control.fresh() == []
    control.hear(beat(alert("old"), alert("new")))
    assert names(control.fresh()) == ["new"]


def test_after_a_rewind_alerts_of_what_was_before_are_not_told() -> None:
    control = Control(resumed=False)
    control.rewound(10.0)
    control.hear(beat(alert("before", 9.5), alert("after", 10.5)))
    assert names(control.fresh()) == ["after"]


def test_listener_that_raises_is_counted_and_the_others_hear(
    caplog: pytest.LogCaptureFixture,
) -> None:
    queue = PushQueue(2**20)
    control = Control(resumed=False)
    called: list[Alert] = []
    control.listen(lambda _: 1 / 0)
    control.listen(called.append)
    control.hear(beat(alert("a"), alert("b")))
    control.call_listeners(Complaints(queue, strict=False))
    assert names(called) == ["a", "b"]
    assert queue.dropped() == {"bad_callback": 2}
    assert sum("ZeroDivisionError" in r.getMessage() for r in caplog.records) == 1
    control.hear(beat(alert("c")))
    with pytest.raises(ZeroDivisionError):
        control.call_listeners(Complaints(queue, strict=True))


def test_listener_that_makes_a_hook_call_hears_no_alert_twice(complaints: Complaints) -> None:
    control = Control(resumed=False)
    called: list[Alert] = []

    def listener(each: Alert) -> None:
        called.append(each)
        control.call_listeners(complaints)

    control.listen(listener)
    control.hear(beat(alert("a"), alert("b")))
    control.call_listeners(complaints)
    assert names(called) == ["a", "b"]


def test_stop_can_be_taken_back() -> None:
    control = Control(resumed=False)
    found = [control.stop]
    for stop in (True, False):
        control.hear(beat(stop=stop))
        found.append(control.stop)
    assert found == [False, True, False]


def test_answer_that_leaves_something_out_means_no() -> None:
    assert Answer.of_beat([b"ok", b"4", [b'{"id": "a"}']]) == Answer(4, ({"id": "a"},), False)
    assert Answer.of_beat([b"ok", b"4", [], 1]) == Answer(4, (), True)


HOSTILE = ["", "{", "[]", "3", '"text"', "\ud800", "[" * 100_000, '{"a": 1']


def test_alerts_that_are_none_are_left_out_and_the_others_are_in_order() -> None:
    texts = [text.encode(errors="surrogatepass") for text in HOSTILE]
    good = [json.dumps(alert(name, time)).encode() for name, time in [("b", 2), ("c", 2), ("a", 1)]]
    odd = [b'{"id": "odd", "time": "yesterday", "step": {}}']
    assert names([*Answer.of_beat([b"ok", b"0", good + texts + odd]).alerts]) == [
        "odd", "a", "b", "c",
    ]  # fmt: skip


@pytest.mark.parametrize("value", [None, "3", [], {}, float("nan"), float("inf"), 10**400])
def test_numbers_that_are_none(value: Any) -> None:
    assert (onset_of({"step": value}), time_of({"time": value})) == (None, 0.0)


def test_numbers_that_are_some() -> None:
    assert (onset_of({"step": 7}), time_of({"time": 2.5})) == (7, 2.5)
