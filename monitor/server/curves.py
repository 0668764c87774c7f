"""Curves of long runs: the shape from outlines of chunks, the rows themselves once zoomed in."""

import threading
from collections import OrderedDict
from collections.abc import Mapping
from functools import partial

import numpy as np
from anyio import CapacityLimiter

from monitor.server.chunks import KEPT_BYTES, Chunks
from monitor.server.downsample import downsample
from monitor.server.shape import Part, Shape
from monitor.store.columns import ROWS_PER_CHUNK, Place
from monitor.store.connection import Store
from monitor.store.edits import Edition, edition_of, name_of, signature_of
from monitor.store.segments import Segment
from monitor.store.series import Series, joined, within

#: Points up to which a stretch is shown from its rows: 64 full chunks, a few milliseconds.
ROWS_SHOWN = 64 * ROWS_PER_CHUNK
#: Queries to work on at a time, while the others wait: one computes while one waits for Redis. Ten
#: at once took the interpreter's lock from one another: they got less done, the last one very late.
AT_ONCE = 2
#: Runs whose shapes are kept: those that pages are open on.
MOST_RUNS = 64


class Curves:
    """Answers queries of series; safe for many threads.

    Args:
        store: both Redis servers.
        kept_bytes: of decoded chunks.

    Attributes:
        turns: threads for queries, from the first look into Redis to the answer.
    """

    def __init__(self, store: Store, kept_bytes: int = KEPT_BYTES) -> None:
        self._store = store
        self._chunks = Chunks(store, kept_bytes)
        self._runs: OrderedDict[str, _Run] = OrderedDict()
        self._lock = threading.Lock()
        self.turns = CapacityLimiter(AT_ONCE)

    def read(
        self,
        run: str,
        kinds: Mapping[str, str],
        first: int | None,
        last: int | None,
        points: int,
    ) -> dict[str, Series]:
        """At most `points` of each metric with first ≤ step ≤ last (None: no bound).

        Up to `ROWS_SHOWN` rows the answer is that of `downsample` on all of them. Of more,
        minimum and maximum of every 64 rows are what it chooses from, so that a spike of one step
        is there at every zoom; where two buckets meet within such 64 rows, the lesser of their
        extremes may be left out.

        Args:
            run: its id.
            kinds: of each metric that is wanted, the pushes it comes from.
            first, last: of the steps.
            points: most of each metric, at least 1.

        Raises:
            UnknownRunError: there is no such run.
        """
        shapes = self._run(run).shapes(kinds)
        return {
            metric: downsample(self._shown(metric, shapes[metric], first, last), points)
            for metric in kinds
        }

    def _run(self, run: str) -> "_Run":
        with self._lock:
            found = self._runs.pop(run, None) or _Run(self._store, self._chunks, run)
            self._runs[run] = found
            while len(self._runs) > MOST_RUNS:
                self._runs.popitem(last=False)
        return found

    def _shown(self, metric: str, shape: Shape, first: int | None, last: int | None) -> Series:
        """Enough points to choose from."""
        inside = shape.reaching(first, last)
        if sum(part.outline.size for part in inside) > ROWS_SHOWN:
            return within(shape.points, first, last)
        by_place: dict[Place, dict[int, int]] = {}
        for part in inside:
            by_place.setdefault(part.place, {})[part.chunk] = part.edition
        rows = {
            place: self._chunks.series(place, metric, editions)
            for place, editions in by_place.items()
        }
        pieces = [part.visible(rows[part.place][part.chunk]) for part in inside]
        return within(joined(pieces), first, last)


class _Run:
    """What is known of one run, as of its latest edition."""

    def __init__(self, store: Store, chunks: Chunks, run: str) -> None:
        self._store, self._chunks, self._run = store, chunks, run
        self._signature: object = None
        self._edition = Edition([], {})
        self._shapes: dict[str, Shape] = {}
        self._lock = threading.Lock()

    def shapes(self, kinds: Mapping[str, str]) -> dict[str, Shape]:
        """The shape of each metric. Who comes second finds what the first has read."""
        signature = signature_of(self._store, self._run)
        with self._lock:
            if signature != self._signature:
                self._edition = edition_of(self._store, self._run)
                self._signature, self._shapes = signature, {}
            missing = {name: kind for name, kind in kinds.items() if name not in self._shapes}
            if missing:
                self._shapes |= self._made(missing)
            return {metric: self._shapes[metric] for metric in kinds}

    def _made(self, kinds: Mapping[str, str]) -> dict[str, Shape]:
        """Shapes from the outlines of all chunks."""
        found: dict[str, list[Part]] = {metric: [] for metric in kinds}
        hidden_from = np.inf
        for segment in reversed(self._edition.segments):
            for kind in sorted(set(kinds.values())):
                metrics = [metric for metric in kinds if kinds[metric] == kind]
                place = (self._run, segment.id, kind)
                editions = _editions(segment, kind, self._edition)
                outlines = self._chunks.outlines(place, metrics, editions)
                for metric in metrics:
                    found[metric] += [
                        Part(place, chunk, editions[chunk], outlines[metric][chunk], hidden_from)
                        for chunk in reversed(editions)
                    ]
            if segment.first_step is not None:
                hidden_from = min(hidden_from, segment.first_step)
        return {
            metric: Shape(parts, partial(self._rows, metric)) for metric, parts in found.items()
        }

    def _rows(self, metric: str, part: Part) -> Series:
        return self._chunks.series(part.place, metric, {part.chunk: part.edition})[part.chunk]


def _editions(segment: Segment, kind: str, edition: Edition) -> dict[int, int]:
    """How often each chunk of a segment was written."""
    first = segment.first_row_of(kind) // ROWS_PER_CHUNK
    chunks = range(first, -(-segment.rows[kind] // ROWS_PER_CHUNK))
    return {chunk: edition.chunks.get(name_of(segment.id, kind, chunk), 0) for chunk in chunks}
