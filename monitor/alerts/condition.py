"""The grammar of conditions: ``D < 2 for 3 batches``, ``S.G > 5 deg``, ``loss.D nonfinite``."""

import math
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass

from monitor.alerts.span import ONE_POINT, Span, parse_span
from monitor.errors import RuleError
from trainer_hooks.names import holds_control

#: Longest condition, characters: the longest metric's name, a number, a span.
MOST_CHARACTERS = 400
#: Longest metric's name, characters (contract).
MOST_METRIC = 256
COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
    "==": operator.eq, "!=": operator.ne,
}  # fmt: skip
NONFINITE = "nonfinite"
EXPECTED = (
    "expected `METRIC < NUMBER` (or <= > >= == !=) or `METRIC nonfinite`, and, if it must last, "
    "`for 3 batches` (steps, epochs, s, min, h)"
)
#: The metric is whatever stands before the last comparison: names may hold anything.
_COMPARED = re.compile(r"(?P<metric>.*)(?P<sign><=|>=|==|!=|<|>)(?P<bound>[^<>=!]*)", re.DOTALL)
_NONFINITE = re.compile(r"(?P<metric>.+)\s+nonfinite", re.DOTALL)
_LASTING = re.compile(r"(?P<what>.*\S)\s+for\s+(?P<span>[^<>=!]*)", re.DOTALL)
_BOUND = re.compile(r"(?P<number>\S+?)\s*(?P<unit>deg|rad|nats)?")


@dataclass(frozen=True, slots=True)
class Condition:
    """What a metric must do, and for how long.

    Attributes:
        metric: its name.
        sign: one of COMPARISONS, or ``nonfinite``.
        bound: in the metric's own unit (radians for S); NaN for ``nonfinite``.
        lasting: for how long it must hold.
        text: in one spelling, so that equal conditions are equal.
    """

    metric: str
    sign: str
    bound: float
    lasting: Span
    text: str

    def holds(self, value: float) -> bool:
        """Whether it holds at a point; `value` is NaN where the metric is not finite."""
        if self.sign == NONFINITE:
            return not math.isfinite(value)
        return math.isfinite(value) and COMPARISONS[self.sign](value, self.bound)

    def is_over(self, value: float, clear: float | None) -> bool:
        """Whether a point speaks against it: with `clear`, only beyond that value."""
        if clear is None or not math.isfinite(value):
            return math.isfinite(value) and not self.holds(value)
        return value >= clear if self.sign in ("<", "<=") else value <= clear


def parse_condition(text: str) -> Condition:
    """A condition as people write it.

    Raises:
        RuleError: says what is wrong and what is expected.
    """
    if len(text) > MOST_CHARACTERS:
        raise RuleError(f"a rule has {len(text)} characters; the most is {MOST_CHARACTERS}")
    if holds_control(text):
        raise RuleError(f"the rule {text!r} holds a control character")
    what, lasting, told = text.strip(), ONE_POINT, ""
    if match := _LASTING.fullmatch(what):
        what, lasting = match["what"], parse_span(match["span"], what=f"`for` of the rule {text!r}")
        told = f" for {lasting.text}"
    if match := _NONFINITE.fullmatch(what):
        metric = _metric(match["metric"], text)
        return Condition(metric, NONFINITE, math.nan, lasting, f"{metric} nonfinite{told}")
    match = _COMPARED.fullmatch(what)
    if match is None:
        raise RuleError(f"the rule {text!r} compares nothing; {EXPECTED}")
    metric = _metric(match["metric"], text)
    bound, shown = parse_bound(match["bound"], metric, f"the rule {text!r}")
    sign = match["sign"]
    return Condition(metric, sign, bound, lasting, f"{metric} {sign} {shown}{told}")


def parse_bound(text: str, metric: str, where: str) -> tuple[float, str]:
    """A number in the metric's own unit, and as it is shown.

    Args:
        text: such as ``2`` or ``5 deg``.
        metric: that it is compared with.
        where: what it belongs to, for the error.
    Raises:
        RuleError: it is no finite number, or the unit is not the metric's.
    """
    match = _BOUND.fullmatch(text.strip())
    number = _number(match["number"]) if match else None
    if match is None or number is None:
        raise RuleError(f"{where}: {text.strip()!r} is no number; expected 2, 0.5, 1e-3 or 5 deg")
    unit = match["unit"]
    if unit in ("deg", "rad") and not metric.startswith("S."):
        raise RuleError(f"{where}: {unit} is a unit of angles (S.*), not of {metric!r}")
    if unit == "nats" and metric.partition(".")[0] != "D":
        raise RuleError(f"{where}: nats is a unit of D, not of {metric!r}")
    shown = f"{match['number']} {unit}" if unit else match["number"]
    return (math.radians(number) if unit == "deg" else number), shown


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and "_" not in text else None


def _metric(text: str, rule: str) -> str:
    metric = text.strip()
    if not 1 <= len(metric) <= MOST_METRIC:
        raise RuleError(
            f"the rule {rule!r} names no metric of 1 to {MOST_METRIC} characters; {EXPECTED}"
        )
    if any(sign in metric for sign in ("<", ">", "==", "!=")):
        # Two comparisons in a row are a mistake far more often than a name.
        raise RuleError(f"the rule {rule!r} compares more than once; one rule, one comparison")
    return metric
