"""Runs, curves, alerts and events of a server, from another program.

It needs the standard library alone, so that a notebook or a cluster's script that has the hooks
has the client too; the server's own extra holds no HTTP client.
"""

import re
from collections.abc import Generator, Iterator, Sequence
from typing import Any, cast
from urllib.parse import quote, urlencode

from monitor.client.answers import (
    Alert,
    Limits,
    Modes,
    RuleInfo,
    RunDetail,
    RunSummary,
    SeriesColumns,
    Stop,
)
from monitor.client.line import TIMEOUT_S, Line, parsed
from monitor.client.stream import Event, follow

#: Runs fetched at a time.
PAGE_RUNS = 200
#: Where a list goes on, in its header `Link`.
NEXT = re.compile(r'<([^>]*)>; rel="next"')


class Client:
    """Asks one server.

    Every call raises `monitor.errors.ClientError` when the server refuses (`status` is that of the
    answer) or does not answer (`status` 0).

    Args:
        url: as `sqd up` prints it.
        token: `--token` or `--read-token` of the server; None: it has none.
        timeout_s: longest wait for any part of an answer, seconds; longer than the 15 s between
            two signs of life of a quiet event stream.

    Example:
        >>> client = Client("http://127.0.0.1:8000", token="...")
        >>> for run in client.runs(statuses=["running"]):
        ...     print(run["id"], run["verdict"]["text"])
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8000",
        token: str | None = None,
        *,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self._line = Line(url, token, timeout_s)

    def runs(
        self, *, tags: Sequence[str] = (), statuses: Sequence[str] = ()
    ) -> Iterator[RunSummary]:
        """Runs that have all of `tags` and one of `statuses`, newest first, page after page."""
        query = [("tag", tag) for tag in tags] + [("status", status) for status in statuses]
        path: str | None = f"/api/runs?{urlencode([*query, ('limit', PAGE_RUNS)])}"
        while path is not None:
            content, headers = self._line.fetch("GET", path)
            yield from cast(list[RunSummary], parsed(content, path))
            found = NEXT.search(headers.get("Link", ""))
            path = found.group(1) if found else None

    def run(self, run: str) -> RunDetail:
        """Everything of one run beside its series."""
        return cast(RunDetail, self._get(run))

    def series(
        self,
        run: str,
        *metrics: str,
        first: int | None = None,
        last: int | None = None,
        points: int = 0,
    ) -> dict[str, SeriesColumns]:
        """Curves, keyed by metric.

        Args:
            run: its id.
            metrics: their names; none: all but those of single tensors.
            first, last: steps, both included; None: no bound.
            points: most of a metric, the shape kept; 0: all of them.
        """
        query: list[tuple[str, Any]] = [("metric", metric) for metric in metrics]
        query += [
            (name, step) for name, step in (("from", first), ("to", last)) if step is not None
        ]
        found = self._get(run, f"/series?{urlencode([*query, ('points', points)])}")
        return cast(dict[str, SeriesColumns], found)

    def samples(self, run: str) -> list[int]:
        """Steps that have an image grid, ascending."""
        return cast(list[int], self._get(run, "/samples"))

    def grid(self, run: str, step: int) -> bytes:
        """The image grid of the batch at `step`, as a WebP file."""
        return self._line.fetch("GET", _path(run, f"/samples/{step}"))[0]

    def modes(self, run: str, step: int) -> Modes:
        """The mode histogram of the batch at `step`."""
        return cast(Modes, self._get(run, f"/modes/{step}"))

    def alerts(self, run: str) -> list[Alert]:
        """Turning points and other alerts, oldest first."""
        return cast(list[Alert], self._get(run, "/alerts"))

    def acknowledge(self, run: str, alert: str) -> Alert:
        """Say that somebody has seen an alert."""
        return cast(Alert, self._line.json("POST", _path(run, _alert(alert, "acknowledge"))))

    def mute(self, run: str, alert: str, seconds: float) -> Alert:
        """Send no notices of an alert and its like for so long; 0 ends that."""
        path = _path(run, _alert(alert, "mute"))
        return cast(Alert, self._line.json("POST", path, {"seconds": seconds}))

    def resolve(self, run: str, alert: str) -> Alert:
        """Say that an alert is over."""
        return cast(Alert, self._line.json("POST", _path(run, _alert(alert, "resolve"))))

    def rules(self) -> list[RuleInfo]:
        """The rules that hold."""
        return cast(list[RuleInfo], self._line.json("GET", "/api/rules"))

    def make_rule(self, when: str, **more: str | float) -> RuleInfo:
        """Make a rule; the same condition again replaces it.

        Args:
            when: the condition, such as ``D < 2 for 3 batches`` (docs/alerts.md).
            more: `name`, `run`, `severity`, `cooldown`, `clear`, `action`.
        """
        return cast(RuleInfo, self._line.json("POST", "/api/rules", {"when": when, **more}))

    def remove_rule(self, rule: str) -> None:
        """Remove a rule, by its id."""
        self._line.fetch("DELETE", f"/api/rules/{quote(rule, safe='')}")

    def events(
        self, run: str | None = None, *, after: str | None = None
    ) -> Generator[Event, None, None]:
        """Points, alerts and status of one run (None: of all) as they come; see `follow`.

        Args:
            run: its id.
            after: `id` of the event that was seen last; None: from now on.
        """
        path = "/api/events" if run is None else _path(run, "/events")
        return follow(self._line, path, after, ends=run is not None)

    def stop(self, run: str, reason: str = "", *, by: str = "client") -> Stop | None:
        """Ask the run's trainer to stop; the request, None if it was taken back at once."""
        body = {"by": by, "reason": reason}
        return cast("Stop | None", self._line.json("POST", _path(run, "/stop"), body))

    def withdraw_stop(self, run: str) -> None:
        """Take the request to stop back, if there is one."""
        self._line.fetch("DELETE", _path(run, "/stop"))

    def limit(
        self,
        run: str,
        *,
        days: float | None = None,
        nbytes: int | None = None,
        grids: int | None = None,
    ) -> Limits:
        """Give a run limits of its own, instead of those it had; None: as for all.

        Args:
            run: its id.
            days: after its end until it is removed; 0: never.
            nbytes: its pictures are thinned while it takes more, then it is removed; 0: never.
            grids: image grids, and mode histograms, kept of it.
        """
        body = {"days": days, "bytes": nbytes, "grids": grids}
        return cast(Limits, self._line.json("PUT", _path(run, "/limits"), body))

    def delete(self, run: str) -> None:
        """Remove a run and all its keys."""
        self._line.fetch("DELETE", _path(run))

    def _get(self, run: str, rest: str = "") -> Any:
        return self._line.json("GET", _path(run, rest))


def _alert(alert: str, what: str) -> str:
    return f"/alerts/{quote(alert, safe='')}/{what}"


def _path(run: str, rest: str = "") -> str:
    return f"/api/runs/{quote(run, safe='')}{rest}"
