"""Checks of what a frame's header says: each returns the value or says what is wrong with it."""

import math
from collections.abc import Iterable
from typing import Any

from trainer_hooks.errors import MOST_CHARACTERS, BadNameError, WireError
from trainer_hooks.names import MAX_METRIC_NAME, check_name

#: Whole numbers beyond this are not exact in browsers and in Redis' scripts.
MOST_COUNT = 2**53
#: Longest metric name, characters: a scalar kept aside (``scalar.<name>``), a tensor of a network.
MOST_NAME = 2 * MAX_METRIC_NAME
#: Characters of foreign text that a message repeats.
QUOTED = 80
#: What a malformed header or a missing tensor makes Python raise.
MALFORMED = (KeyError, TypeError, ValueError, AttributeError, OverflowError, BadNameError)


def name(value: Any) -> str:
    """A metric or tensor name."""
    return check_name(value, what="name", longest=MOST_NAME)


def reason(value: Any) -> str:
    """Text that fits a line and every program it passes through; a lone surrogate would not."""
    return " ".join(str(value).split()).encode(errors="replace").decode()[:MOST_CHARACTERS]


def whole(value: Any) -> int:
    """A whole number from 0 to MOST_COUNT."""
    if type(value) is not int or not 0 <= value < MOST_COUNT:
        raise WireError(f"{quoted(value)} is no whole number from 0 to 2^53")
    return value


def finite(value: Any) -> float:
    """A number that is neither NaN nor Inf."""
    if type(value) not in (int, float) or not math.isfinite(float(value)):
        raise WireError(f"{quoted(value)} is no finite number")
    return float(value)


def index(value: Any, count: int) -> int:
    """The number of one of `count` rows."""
    if whole(value) >= count:
        raise WireError(f"row {value} is outside the {count} rows")
    return int(value)


def flag(value: Any) -> bool:
    """True or false, not something like it."""
    if type(value) is not bool:
        raise WireError(f"{quoted(value)} is neither true nor false")
    return value


def unique(names: Iterable[str], what: str) -> None:
    """Refuse a name that is given twice: each reader might believe another half."""
    seen: set[str] = set()
    for one in names:
        if one in seen:
            raise WireError(f"{what} {quoted(one)} is given twice")
        seen.add(one)


def quoted(foreign: object) -> str:
    """What came, short enough for a message."""
    return repr(foreign)[:QUOTED]
