"""A user's rule: a condition with a severity, a cooldown, and what is to be done."""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from monitor.alerts.condition import NONFINITE, Condition, parse_bound, parse_condition
from monitor.alerts.span import Span, parse_span
from monitor.errors import RuleError
from monitor.types import SEVERITIES, Severity

#: After an alert, the next of the same rule and run comes no earlier.
COOLDOWN = "10 min"
#: Longest name of a rule, characters.
MOST_NAME = 128
#: Hexadecimal digits of a rule's id.
ID_DIGITS = 12

Action = Literal["", "stop"]
ACTIONS: tuple[Action, ...] = ("", "stop")
FIELDS = ("when", "name", "run", "severity", "cooldown", "clear", "action")


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    Attributes:
        id: of run and condition: the same rule again replaces the older.
        name: for people; the condition if none was given.
        when: what must happen.
        run: the run it is for; None for all.
        severity: of its alerts.
        cooldown: from one alert to the next.
        clear: value beyond which it is over, in the metric's own unit; None: its own bound.
        action: ``stop`` asks the trainer to stop; ``""`` nothing.
        told: as it was written, for REST and storage.
    """

    id: str
    name: str
    when: Condition
    run: str | None
    severity: Severity
    cooldown: Span
    clear: float | None
    action: Action
    told: dict[str, Any]

    def concerns(self, run: str) -> bool:
        """Whether it is for this run."""
        return self.run is None or self.run == run


def parse_rule(given: Any) -> Rule:
    """A rule from a condition alone, or from a table of FIELDS.

    Raises:
        RuleError: says what is wrong and what is expected.
    """
    told = {"when": given} if isinstance(given, str) else given
    if not isinstance(told, Mapping):
        raise RuleError(f"a rule is a text or a table, not {type(given).__name__}")
    unknown = [str(name) for name in told if name not in FIELDS]
    if unknown:
        raise RuleError(f"a rule has no {unknown[0]!r}; there are {', '.join(FIELDS)}")
    when = parse_condition(_text(told, "when") or "")
    run = _text(told, "run") or None
    name = _text(told, "name") or when.text
    if len(name) > max(MOST_NAME, len(when.text)) or not name.isprintable():
        raise RuleError(f"the name of a rule has at most {MOST_NAME} characters, all printable")
    cooldown = parse_span(_text(told, "cooldown") or COOLDOWN, what="cooldown")
    if cooldown.unit == "points":
        raise RuleError(f"cooldown is {cooldown.text!r}; expected steps, epochs, s, min or h")
    clear = _clear(told, when)
    severity = _choice(told, "severity", SEVERITIES, "warning")
    action = _choice(told, "action", ACTIONS, "")
    kept = {field: told[field] for field in FIELDS if told.get(field) not in (None, "")}
    identity = hashlib.sha256(f"{run or ''}\0{when.text}".encode()).hexdigest()[:ID_DIGITS]
    return Rule(
        identity, name, when, run, cast(Severity, severity), cooldown, clear,
        cast(Action, action), {**kept, "when": when.text},
    )  # fmt: skip


def parse_rules(given: Any) -> tuple[Rule, ...]:
    """Several rules.

    Raises:
        RuleError: names the rule by its number.
    """
    if not isinstance(given, list | tuple):
        raise RuleError(f"expected a list of rules, not {type(given).__name__}")
    found: dict[str, Rule] = {}
    for number, each in enumerate(given, start=1):
        try:
            rule = each if isinstance(each, Rule) else parse_rule(each)
        except RuleError as error:
            raise RuleError(f"rule {number}: {error}") from error
        if rule.id in found:
            raise RuleError(f"rule {number}: {rule.when.text!r} is there twice for the same run")
        found[rule.id] = rule
    return tuple(found.values())


def _text(told: Mapping[Any, Any], field: str) -> str | None:
    value = told.get(field)
    if value is not None and not isinstance(value, str):
        raise RuleError(f"{field} of a rule is a text, not {type(value).__name__}")
    return value


def _choice(told: Mapping[Any, Any], field: str, known: tuple[str, ...], default: str) -> str:
    value = _text(told, field) or default
    if value not in known:
        names = ", ".join(name for name in known if name)
        raise RuleError(f"{field} of a rule is {value!r}; expected {names}")
    return value


def _clear(told: Mapping[Any, Any], when: Condition) -> float | None:
    """The value beyond which the rule is over: on the other side of its bound."""
    value = told.get("clear")
    if value is None or value == "":
        return None
    if when.sign in (NONFINITE, "==", "!="):
        raise RuleError(f"clear needs a rule with < or >, not {when.text!r}")
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise RuleError(f"clear of a rule is a number, not {type(value).__name__}")
    clear, shown = parse_bound(str(value), when.metric, "clear")
    below = when.sign in ("<", "<=")
    if not math.isfinite(clear) or (clear < when.bound if below else clear > when.bound):
        side = "at least" if below else "at most"
        raise RuleError(f"clear is {shown}; for {when.text!r} it must be {side} the bound")
    return clear
