"""The tables, as Markdown."""

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.evaluators.timing import Row
from benchmarks.hooks.report import table

#: What the rows of each part are about.
TITLES = {
    "limits": "the device",
    "quality": "quality",
    "diversity": "embedding and alignment",
    "nearest": "nearest mode",
    "stability": "stability",
    "whole": "one point, from images to numbers",
}


def tables(results: Mapping[str, Any]) -> str:
    """A table for each part that was measured."""
    parts = [(title, results[part]) for part, title in TITLES.items() if results.get(part)]
    return "\n\n".join(_table(title, rows) for title, rows in parts)


def _table(title: str, rows: Sequence[Row]) -> str:
    header = (title, "median ms", "times the first", "rate", "notes")
    return table(header, [[*_common(row), _rate(row), _notes(row)] for row in rows])


def _common(row: Row) -> list[str]:
    return [_name(row), f"{row['seconds'] * 1e3:.2f}", f"{row['ratio']:.3f}"]


def _name(row: Row) -> str:
    details = [f"{row['side']} px"] if "side" in row else []
    details += [row["embedder"]] if "embedder" in row else []
    return ", ".join([row["name"], *details])


def _rate(row: Row) -> str:
    if "per_second" in row:
        return f"{row['per_second']:.0f} images/s"
    if "operations_per_second" in row:
        return f"{row['operations_per_second'] / 1e9:.1f} GFLOP/s"
    if "bytes_per_second" in row:
        return f"{row['bytes_per_second'] / 1e9:.2f} GB/s"
    return ""


def _notes(row: Row) -> str:
    if "largest_difference" in row:
        return f"scores differ by at most {row['largest_difference']:.1e}"
    if "differ" in row:
        return f"{row['differ']} of {row['samples']} differ from float64"
    if "share_of_embedding" in row:
        return f"nearest mode takes {row['share_of_embedding']:.2%} of as many images' time"
    if "errors" in row:
        return ", ".join(f"{angle}: {error:+.0e}" for angle, error in row["errors"].items())
    return row.get("provider", "")
