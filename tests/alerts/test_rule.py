"""Rules as tables: what each field may be, and what makes two rules the same."""

import math
from typing import Any

import pytest

from monitor.alerts.rule import parse_rule, parse_rules
from monitor.errors import RuleError


def test_condition_alone_has_defaults() -> None:
    rule = parse_rule("D  <  2 for 3 batches")
    assert (rule.name, rule.run, rule.severity, rule.action) == (
        "D < 2 for 3 batches", None, "warning", "",
    )  # fmt: skip
    assert (rule.cooldown.amount, rule.cooldown.unit) == (600, "s")
    assert rule.clear is None
    assert rule.told == {"when": "D < 2 for 3 batches"}
    assert rule.concerns("any")


def test_table_says_everything() -> None:
    rule = parse_rule(
        {
            "when": "S.G > 5 deg", "name": "too fast", "run": "demo", "severity": "critical",
            "cooldown": "500 steps", "clear": "4 deg", "action": "stop",
        }
    )  # fmt: skip
    assert (rule.name, rule.severity, rule.action) == ("too fast", "critical", "stop")
    assert (rule.cooldown.amount, rule.cooldown.unit) == (500, "steps")
    assert rule.clear == pytest.approx(math.radians(4))
    assert rule.concerns("demo")
    assert not rule.concerns("other")
    # As it is stored and read again.
    assert parse_rule(rule.told) == rule


def test_same_rule_has_the_same_id() -> None:
    first = parse_rule("D<2")
    assert parse_rule({"when": "D < 2", "severity": "critical"}).id == first.id
    assert parse_rule({"when": "D < 2", "run": "demo"}).id != first.id
    assert parse_rule("D < 3").id != first.id


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (5, "a rule is a text or a table, not int"),
        ({}, "compares nothing"),
        ({"when": 5}, "when of a rule is a text, not int"),
        ({"when": "D < 2", "sverity": "x"}, "a rule has no 'sverity'; there are when, name, run,"),
        ({"when": "D < 2", "severity": "bad"}, "'bad'; expected info, warning, critical"),
        ({"when": "D < 2", "action": "explode"}, "'explode'; expected stop"),
        ({"when": "D < 2", "cooldown": "2 batches"}, "expected steps, epochs, s, min or h"),
        ({"when": "D < 2", "cooldown": "soon"}, "cooldown is 'soon'; expected"),
        (
            {"when": "D < 2", "clear": 1.5},
            "clear is 1.5; for 'D < 2' it must be at least the bound",
        ),
        ({"when": "D > 2", "clear": "3"}, "it must be at most the bound"),
        ({"when": "D == 2", "clear": 3}, "clear needs a rule with < or >"),
        ({"when": "D < 2", "clear": True}, "clear of a rule is a number, not bool"),
        ({"when": "D < 2", "clear": "high"}, "'high' is no number"),
        ({"when": "D < 2", "name": "x" * 200}, "at most 128 characters"),
        ({"when": "D < 2", "name": "a\nb"}, "all printable"),
    ],
)
def test_mistakes_are_named(told: Any, said: str) -> None:
    with pytest.raises(RuleError) as caught:
        parse_rule(told)
    assert said in str(caught.value)


def test_lists_of_rules() -> None:
    assert [rule.name for rule in parse_rules(["D < 2", {"when": "Q < 1"}])] == ["D < 2", "Q < 1"]
    with pytest.raises(RuleError, match="rule 2: the rule 'D' compares nothing"):
        parse_rules(["D < 2", "D"])
    with pytest.raises(RuleError, match="rule 2: 'D < 2' is there twice"):
        parse_rules(["D < 2", "D<2"])
    with pytest.raises(RuleError, match="expected a list of rules, not str"):
        parse_rules("D < 2")
