"""The grammar of rules: what is understood, and what is said where it is not."""

import math

import pytest

from monitor.alerts.condition import parse_condition
from monitor.alerts.span import Place, Span, parse_span
from monitor.errors import RuleError


@pytest.mark.parametrize(
    ("text", "metric", "sign", "bound", "amount", "unit"),
    [
        ("D < 2 for 3 batches", "D", "<", 2, 3, "points"),
        ("loss.D == 0 for 500 steps", "loss.D", "==", 0, 500, "steps"),
        ("Q<=.5", "Q", "<=", 0.5, 1, "points"),
        ("  Q   >=  1e-3  for 10 epochs ", "Q", ">=", 0.001, 10, "epochs"),
        ("grad.G > 1e3 for 5 min", "grad.G", ">", 1000, 300, "s"),
        ("loss.G != -1 for 1.5 h", "loss.G", "!=", -1, 5400, "s"),
        ("S.G/main.0.weight > 0.1 rad", "S.G/main.0.weight", ">", 0.1, 1, "points"),
        ("D < 2 nats", "D", "<", 2, 1, "points"),
        ("loss for D < 2", "loss for D", "<", 2, 1, "points"),
        ("my loss = x > 2 for 2 Points", "my loss = x", ">", 2, 2, "points"),
        ("<b>, 損失 %s < 2", None, "", 0, 0, ""),
        ("損失 %s {} < 2", "損失 %s {}", "<", 2, 1, "points"),
    ],
)
def test_conditions(
    text: str, metric: str | None, sign: str, bound: float, amount: float, unit: str
) -> None:
    if metric is None:
        with pytest.raises(RuleError, match="compares more than once"):
            parse_condition(text)
        return
    found = parse_condition(text)
    assert (found.metric, found.sign, found.bound) == (metric, sign, bound)
    assert (found.lasting.amount, found.lasting.unit) == (amount, unit)
    assert parse_condition(found.text) == found


def test_degrees_are_radians_inside() -> None:
    found = parse_condition("S.G > 5 deg")
    assert found.bound == pytest.approx(math.radians(5))
    assert found.text == "S.G > 5 deg"


def test_nonfinite() -> None:
    found = parse_condition("loss.D nonfinite for 2 points")
    assert (found.metric, found.lasting.amount) == ("loss.D", 2)
    assert found.holds(math.nan)
    assert not found.holds(0.0)
    assert found.is_over(0.0, None)
    assert not found.is_over(math.nan, None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "compares nothing; expected `METRIC < NUMBER`"),
        ("D", "compares nothing"),
        ("D is low", "compares nothing"),
        ("< 2", "names no metric"),
        ("nonfinite", "compares nothing"),
        ("D < two", "'two' is no number; expected 2, 0.5, 1e-3 or 5 deg"),
        ("D <", "'' is no number"),
        ("D < nan", "'nan' is no number"),
        ("D < 1e999", "'1e999' is no number"),
        ("D < 1_000", "is no number"),
        ("1 < D < 2", "compares more than once; one rule, one comparison"),
        ("D < 2 for 3", "'3'; expected a number and batches, steps, epochs, s, min or h"),
        ("D < 2 for 3 days", "'3 days'; expected"),
        ("D < 2 for ever", "'ever'; expected"),
        ("D < 2 for 0 batches", "batches are counted: a whole number from 1 on"),
        ("D < 2 for 1.5 batches", "batches are counted: a whole number from 1 on"),
        ("D < 2 for 99999999999999 steps", "the longest is 1e+12"),
        ("Q > 5 deg", "deg is a unit of angles (S.*), not of 'Q'"),
        ("Q < 2 nats", "nats is a unit of D, not of 'Q'"),
        ("D < 2 kg", "'2 kg' is no number"),
        ("D < 2\n", None),
        ("D\n< 2", "control character"),
        ("D\x85 < 2", "control character"),
        ("x" * 300 + " < 2", "names no metric of 1 to 256 characters"),
        ("x" * 500, "has 500 characters; the most is 400"),
    ],
)
def test_mistakes_are_named_in_one_line(text: str, said: str | None) -> None:
    with pytest.raises(RuleError) as caught:
        parse_condition(text)
    message = str(caught.value)
    assert "\n" not in message
    assert said is None or said in message


@pytest.mark.parametrize(
    ("span", "begin", "now", "reached"),
    [
        ("3 batches", Place(0, None, 0.0), Place(9, None, 9.0, 2), False),
        ("3 batches", Place(0, None, 0.0), Place(9, None, 9.0, 3), True),
        ("5 steps", Place(10, None, 0.0), Place(14, None, 9.0, 5), False),
        ("5 steps", Place(10, None, 0.0), Place(15, None, 9.0, 2), True),
        ("2 epochs", Place(0, 1.0, 0.0), Place(9, 2.5, 0.0), False),
        ("2 epochs", Place(0, 1.0, 0.0), Place(9, 3.0, 0.0), True),
        ("2 epochs", Place(0, None, 0.0), Place(9, 3.0, 0.0), False),
        ("1 min", Place(0, None, 100.0), Place(9, None, 159.9), False),
        ("1 min", Place(0, None, 100.0), Place(9, None, 160.0), True),
    ],
)
def test_spans(span: str, begin: Place, now: Place, reached: bool) -> None:
    found: Span = parse_span(span, what="x")
    assert found.reached(begin, now) is reached
