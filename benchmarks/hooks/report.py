"""The tables, as Markdown."""

from collections.abc import Sequence
from typing import Any

Row = dict[str, Any]


def training_table(rows: Sequence[Row]) -> str:
    """Cost in the training loop."""
    header = (
        *("way", "iteration p50 ms", "ratio", "95% interval", "in calls p50 µs", "p99 µs"),
        *("share of iteration", "bytes/iteration", "dropped"),
    )
    return table(header, [_training_cells(row) for row in rows])


def alone_table(rows: Sequence[Row]) -> str:
    """One call after the other."""
    header = ("way (5 scalars a call)", "calls", "p50 µs", "p99 µs")
    return table(header, [_alone_cells(row) for row in rows])


def outage_table(rows: Sequence[Row]) -> str:
    """What each did to its trainer."""
    header = (
        *("logger", "server", "healthy p50 / p99 ms", "outage p50 / p99 / max ms", "raised"),
        *("process", "exit s"),
    )
    return table(header, [_outage_cells(row) for row in rows])


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; what a cell holds cannot break it."""
    cells = [" | ".join(cell.replace("|", "/") for cell in line) for line in (header, *rows)]
    head, *body = [f"| {line} |" for line in cells]
    return "\n".join([head, "|---" * len(header) + "|", *body])


def _training_cells(row: Row) -> list[str]:
    if "missing" in row:
        return [row["name"], row["missing"], *[""] * 7]
    low, high = row["ratio_95"]
    return [
        row["name"],
        f"{row['iteration_ms']:.2f}",
        f"{row['ratio']:.3f}",
        f"{low:.3f}–{high:.3f}",
        f"{row['call']['p50_us']:.0f}",
        f"{row['call']['p99_us']:.0f}",
        f"{row['call_share']:.2%}",
        f"{row['bytes_per_iteration']:.0f}",
        _dropped(row["dropped"]),
    ]


def _alone_cells(row: Row) -> list[str]:
    if "missing" in row:
        return [row["name"], row["missing"], "", ""]
    call = row["call"]
    return [row["name"], str(row["calls"]), f"{call['p50_us']:.1f}", f"{call['p99_us']:.1f}"]


def _outage_cells(row: Row) -> list[str]:
    if "missing" in row:
        return [row["name"], row["how"], row["missing"], *[""] * 4]
    raised = f"{row['raised']} of {row['calls']}" if row["raised"] else "no"
    return [
        row["name"],
        row["how"],
        _milliseconds(row["healthy"], "p50_us", "p99_us"),
        _outage_calls(row),
        raised,
        _end(row),
        "" if row["exit_s"] is None else f"{row['exit_s']:.1f}",
    ]


def _outage_calls(row: Row) -> str:
    if row["init_s"] is None:
        return f"start blocked > {row['stuck_s']:.0f} s" if row["stuck_s"] else "start raised"
    done = _milliseconds(row["call"], "p50_us", "p99_us", "max_us")
    if row["stuck_s"] is not None:
        return f"{done}; then one blocked > {row['stuck_s']:.0f} s".removeprefix("–; ")
    return done


def _end(row: Row) -> str:
    if not row["ended"]:
        return "still alive at the limit"
    return "ended" if row["exit_code"] == 0 else f"ended with {row['exit_code']}"


def _milliseconds(call: dict[str, float] | None, *names: str) -> str:
    return " / ".join(f"{call[name] / 1e3:.3f}" for name in names) if call else "–"


def _dropped(counts: dict[str, int]) -> str:
    lost = [f"{reason}: {count}" for reason, count in counts.items() if count]
    return ", ".join(lost) or "0"
