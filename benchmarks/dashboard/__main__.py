"""What a person at the page waits for: the real product, a real trainer, a real headless browser.

    python -m benchmarks.dashboard [--quick] [--parts live tabs list day long]

Writes dashboard.json and prints the tables. Timing never decides a test.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser

from benchmarks.dashboard import day, listing, live, long
from benchmarks.dashboard.browser import chromium
from benchmarks.dashboard.product import Product
from benchmarks.dashboard.report import tables

#: The list comes last but for what its 200 runs would stand in the way of.
PARTS = ("live", "tabs", "day", "long", "list")
#: What --quick takes instead.
QUICK = {
    "steps": 20_000, "seconds": 3.0, "others": 9, "hours": 0.1, "speed": 60.0, "runs": 20,
    "times": 1,
}  # fmt: skip


def main() -> None:
    """Start, measure, print."""
    options = read_options()
    results: dict[str, Any] = {"about": about(options)}
    with tempfile.TemporaryDirectory(prefix="sqd-bench-") as folder, chromium() as browser:
        product = Product(Path(folder))
        try:
            for part in PARTS:
                if part in options.parts:
                    results[part] = measure(part, options, product, browser)
        finally:
            product.close()
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "dashboard.json").write_text(json.dumps(results, indent=1))
    print(tables(results))


def measure(
    part: str, options: argparse.Namespace, product: Product, browser: Browser
) -> list[live.Row]:
    """The rows of one part."""
    if part == "live":
        pace = (options.seconds, options.points_per_s)
        return [live.push_to_pixel(product, browser, *pace, each) for each in (0, options.others)]
    if part == "tabs":
        return [live.tabs(product, browser, options.points_per_s)]
    if part == "day":
        return [day.leave_open(product, browser, options.hours, options.speed)]
    if part == "list":
        return [listing.many_runs(product, browser, options.runs, options.seconds)]
    long.prepare(product, options.steps)
    rows = long.first_paint(product, browser, options.times)
    return [*rows, long.zooms(product, browser, options.steps, 5 * options.times)]


def about(options: argparse.Namespace) -> dict[str, Any]:
    """When and how it was measured."""
    asked = {name: value for name, value in vars(options).items() if name != "output"}
    return {"date": time.strftime("%Y-%m-%d", time.gmtime()), "options": asked}


def read_options() -> argparse.Namespace:
    """The command line, --quick's values filled in."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dashboard", description=__doc__)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--points-per-s", type=float, default=50.0)
    parser.add_argument("--others", type=int, default=99, help="who listen beside the browser")
    parser.add_argument("--seconds", type=float, default=60.0, help="of each look at what is live")
    parser.add_argument("--hours", type=float, default=24.0, help="of the page left open")
    parser.add_argument("--speed", type=float, default=240.0, help="hours of points in an hour")
    parser.add_argument("--steps", type=int, default=2_000_000, help="of the long run")
    parser.add_argument("--runs", type=int, default=200, help="in the list")
    parser.add_argument("--times", type=int, default=5, help="loads of the long run")
    parser.add_argument("--quick", action="store_true", help="a dry run, no figure worth a look")
    parser.add_argument("--output", type=Path, default=Path("artifacts"))
    options = parser.parse_args()
    if options.quick:
        vars(options).update(QUICK)
    return options


if __name__ == "__main__":
    main()
