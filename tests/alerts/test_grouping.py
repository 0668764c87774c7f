"""One event, one notice: alerts that come close together, unless one is graver."""

import json

from monitor.alerts.grouping import EVENT_S, Grouping
from monitor.types import Alert, Severity


def alert(name: str, time: float, severity: Severity = "warning") -> Alert:
    return Alert(name, "demo", "rule", 1, 2, ("D",), severity, "D fell.", time)


def followed(*alerts: Alert) -> list[str | None]:
    state = Grouping().state()
    found = []
    for each in alerts:
        grouping = Grouping(json.loads(json.dumps(state)))
        found.append(grouping.place(each).follows)
        state = grouping.state()
    return found


def test_first_is_news_and_those_close_to_it_follow() -> None:
    alerts = [alert(name, time) for name, time in (("a", 0), ("b", 0), ("c", EVENT_S))]
    assert followed(*alerts, alert("d", EVENT_S + 1)) == [None, "a", "a", None]


def test_graver_one_is_news() -> None:
    assert followed(
        alert("a", 0), alert("b", 1, "critical"), alert("c", 2, "critical"), alert("d", 3, "info")
    ) == [None, None, "b", "b"]


def test_events_do_not_go_on_for_ever() -> None:
    steps = [alert(str(number), number * EVENT_S / 2) for number in range(6)]
    assert followed(*steps) == [None, "0", "0", None, "3", "3"]


def test_clock_that_was_set_back_makes_a_new_event() -> None:
    assert followed(alert("a", 1000), alert("b", 10)) == [None, None]
