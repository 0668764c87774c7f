"""What a notice shows of an alert: words, the curves around it, the images before and after."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import numpy as np

from monitor.alerts.channels import Letter
from monitor.alerts.picture import Curve, draw_curves, draw_pair
from monitor.errors import UnknownRunError
from monitor.store.artifacts import grid_steps, read_grid
from monitor.store.blocks import KINDS, is_tensor_metric
from monitor.store.connection import Store
from monitor.store.rows import read_rows
from monitor.store.segments import segments_of
from monitor.store.series import kinds_of, metric_names

#: Newest rows of each kind that are drawn: a notice must not read a run of a million rows.
MOST_ROWS = 20_000
#: Curves of one picture.
MOST_CURVES = 5
SHOWN = ("Q", "D")


def letter_of(
    alert: Mapping[str, Any], page_url: str, pictures: Sequence[tuple[str, bytes]] = ()
) -> Letter:
    """The letter that tells of an alert.

    Args:
        alert: as it is stored, with its marks.
        page_url: of the dashboard, without a slash at the end; "" for none.
        pictures: as `pictures_of` gives them.
    """
    run = str(alert["run"])
    lines = [str(alert["message"])]
    if alert["resolved"] is not None:
        lines.append("It is over by now.")
    if page_url:
        lines.append(f"{page_url}/runs/{quote(run, safe='')}")
    return Letter(
        title=f"{run}: {alert['rule'] or str(alert['kind']).replace('_', ' ')}",
        body="\n\n".join(lines),
        severity=alert["severity"],
        pictures=pictures,
    )


def pictures_of(store: Store, alert: Mapping[str, Any]) -> list[tuple[str, bytes]]:
    """Name and PNG of each picture that can be drawn: the curves, the images.

    Args:
        store: where its run is.
        alert: as it is stored.
    """
    run = str(alert["run"])
    marks = [step for step in (alert["step"], alert["detected_step"]) if step is not None]
    try:
        drawn = [
            ("curves.png", draw_curves(_curves(store, run, alert["metrics"]), marks)),
            ("images.png", draw_pair(_grids(store, run, alert))),
        ]
    except UnknownRunError:
        return []
    return [(name, data) for name, data in drawn if data]


def _grids(store: Store, run: str, alert: Mapping[str, Any]) -> list[tuple[str, bytes]]:
    """The last grid before the change, and the first at or after its detection, else the newest."""
    steps = grid_steps(store, run)
    onset, noticed = alert["step"], alert["detected_step"]
    before = [step for step in steps if onset is not None and step < onset][-1:]
    rest = [step for step in steps if step not in before]
    after = [step for step in rest if noticed is None or step >= noticed][:1] or rest[-1:]
    if noticed is None:
        after = rest[-1:]
    return [(f"step {step:,}", read_grid(store, run, step)) for step in (*before, *after)]


def _curves(store: Store, run: str, metrics: Sequence[str]) -> list[Curve]:
    """The alert's own metrics, then S of each network, Q and D."""
    known = metric_names(store, run)
    angles = sorted(
        name
        for name in known
        if name.startswith("S.") and "@" not in name and not is_tensor_metric(name)
    )
    wanted = [name for name in dict.fromkeys((*metrics, *angles, *SHOWN)) if name in known]
    kinds = kinds_of(store, run, wanted[:MOST_CURVES])
    curves = []
    for kind in KINDS:
        names = [name for name in wanted if kinds.get(name) == kind]
        if names:
            curves += _of_kind(store, run, kind, names)
    return sorted(curves, key=lambda curve: wanted.index(curve.title.partition(" (")[0]))


def _of_kind(store: Store, run: str, kind: Any, names: Sequence[str]) -> list[Curve]:
    """The newest rows of the newest process that has some."""
    for segment in reversed(segments_of(store, run)):
        end = segment.rows[kind]
        span = range(max(segment.first_row_of(kind), end - MOST_ROWS), end)
        if span:
            table = read_rows(store, (run, segment.id, kind), span, names)
            # Where steps went back, only what came after counts.
            back = np.flatnonzero(np.diff(table.step) < 0)
            begin = int(back[-1]) + 1 if back.size else 0
            return [
                Curve(
                    f"{name} (rad)" if name.startswith("S.") else name,
                    table.step[begin:],
                    np.where(about.known, about.value, np.nan)[begin:],
                )
                for name, about in table.metrics.items()
            ]
    return []
