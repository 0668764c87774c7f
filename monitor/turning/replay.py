"""Recorded points through the detector, as `sqd replay` takes them."""

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monitor.errors import ReplayError
from monitor.turning.detector import TurningPointDetector
from monitor.types import TurningPoint

#: Stands for a value that is NaN or infinite, for which JSON has no number.
NOT_FINITE = "NaN"
#: Steps are stored in 64 bits.
LARGEST_STEP = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Record:
    """One line of a recording.

    Attributes:
        step: training step.
        epoch: None if the trainer said none.
        values: by metric name; None where a value is missing.
    """

    step: int
    epoch: float | None
    values: Mapping[str, float | None]


def replay(path: Path, *, sensitivity: str = "normal") -> Iterator[TurningPoint]:
    """Turning points in a recording, as the detector finds them online.

    Args:
        path: JSON lines ``{"step": 12, "epoch": null, "values": {"S.G": 0.002, "Q": 0.7}}``, any
            subset of values per line, null for a missing one and "NaN" for one that was not
            finite; blank lines are skipped.
        sensitivity: ``low``, ``normal`` or ``high``.

    Raises:
        ReplayError: the file or a line cannot be read.
        SettingsError: the sensitivity is unknown.
    """
    detector = TurningPointDetector(sensitivity)
    try:
        with path.open(encoding="utf-8") as lines:
            for record in read_records(lines, str(path)):
                yield from detector.update(record.step, record.values, epoch=record.epoch)
    except (OSError, UnicodeDecodeError) as error:
        raise ReplayError(f"{path} cannot be read: {error}") from error


def read_records(lines: Iterable[str], source: str) -> Iterator[Record]:
    """The records in lines of JSON.

    Args:
        lines: one object each.
        source: where they come from, for the error.

    Raises:
        ReplayError: names the source, the line and the reason.
    """
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            yield parse(line)
        except ValueError as error:
            raise ReplayError(f"{source}, line {number}: {error}") from error


def parse(line: str) -> Record:
    """One line of a recording.

    Raises:
        ValueError: says what is wrong with it.
    """
    try:
        found = json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON ({error.msg} at column {error.colno})") from error
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if not isinstance(found, dict):
        raise ValueError(f"a JSON object is needed, not {kind_of(found)}")
    step, epoch, values = found.get("step"), found.get("epoch"), found.get("values")
    if not isinstance(step, int) or isinstance(step, bool) or abs(step) > LARGEST_STEP:
        raise ValueError(f'"step" must be a whole number, not {kind_of(step)}')
    if not isinstance(values, dict):
        raise ValueError(f'"values" must be an object of numbers by metric, not {kind_of(values)}')
    numbers = {name: number(value, f"values[{name!r}]") for name, value in values.items()}
    return Record(step, number(epoch, '"epoch"'), numbers)


def number(value: Any, name: str) -> float | None:
    """A JSON number as float, null as None, and the word for what is not finite.

    Raises:
        ValueError: it is neither, or too large for a float.
    """
    if value is None:
        return None
    if value == NOT_FINITE:
        return math.nan
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name} must be a number or null, not {kind_of(value)}")
    try:
        return float(value)
    except OverflowError:
        raise ValueError(f"{name} is too large for a floating-point number") from None


def kind_of(value: Any) -> str:
    """JSON's word for a value."""
    if value is None:
        return "null"
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    words = {bool: "a boolean", str: "a string", dict: "an object"}
    return words.get(type(value), "a list")
