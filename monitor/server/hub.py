"""The hub: one blocking read of Redis wakes every browser that listens."""

import asyncio
import contextlib
import logging
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from monitor.errors import StoreError, UnknownRunError
from monitor.store.connection import Store, reachable, text
from monitor.store.events import PAGE, Event, newest_id, read_after, still_holds
from monitor.store.series import segments_of
from trainer_hooks import keys

#: Longest blocking read, milliseconds: how long stopping may take.
BLOCK_MS = 500
#: Wait before Redis is tried again, seconds.
RETRY_S = 0.5
#: Everybody looks again after so many quiet reads: a run that was deleted while Redis was away
#: has left nothing that wakes its listeners.
QUIET_READS = 10
#: The stream of all runs. One shard until a Redis Cluster is supported (trainer_hooks.keys).
ALL = keys.shard_events(0)
#: Id of a stream in which nothing has happened yet.
NOTHING = "0-0"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Page:
    """What a stream holds after an id.

    Attributes:
        events: oldest first.
        reset: id to go on from when events were lost, else "".
        gone: the run was deleted.
    """

    events: tuple[Event, ...] = ()
    reset: str = ""
    gone: bool = False

    @property
    def more(self) -> bool:
        """Whether there may be more at once."""
        return bool(self.reset) or len(self.events) >= PAGE


#: What is listened to: one run, or the newest of all of them.
Topic = str | None


def stream_of(topic: Topic) -> str:
    """Key of a topic's events."""
    return ALL if topic is None else keys.events(topic)


@dataclass(eq=False, slots=True)
class Listener:
    """One open line to a browser, and of which of its topics there may be something to read."""

    topics: Sequence[Topic]
    due: set[Topic] = field(default_factory=set)
    awake: asyncio.Event = field(default_factory=asyncio.Event)

    def wake(self, topics: Iterable[Topic]) -> None:
        """There may be something to read of those of `topics` that it listens to."""
        self.due.update(set(topics).intersection(self.topics))
        if self.due:
            self.awake.set()

    async def woken(self) -> list[Topic]:
        """The topics to be read now, in their order, as soon as there is one."""
        await self.awake.wait()
        self.awake.clear()
        due, self.due = self.due, set()
        return [topic for topic in self.topics if topic in due]


class Hub:
    """Wakes listeners when something happened; those at the same place share one read.

    Each listener reads its own stream from its own id, so that nothing is lost or doubled,
    whatever the hub misses.

    Args:
        store: where the events are.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._listeners: set[Listener] = set()
        self._reads: dict[tuple[str, str], asyncio.Task[Page]] = {}
        self._closing = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._work, name="sqd-events", daemon=True)

    @property
    def listeners(self) -> int:
        """How many lines are open."""
        return len(self._listeners)

    @property
    def closed(self) -> bool:
        """Whether streams are to end."""
        return self._closing.is_set()

    def start(self) -> None:
        """Begin to wake listeners of the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    def close(self) -> None:
        """End all streams; from any thread, any number of times."""
        self._closing.set()
        self._tell(None)

    def join(self) -> None:
        """Wait until the hub's thread has ended, unless Redis hangs."""
        self._thread.join(2 * BLOCK_MS / 1000)

    @contextlib.contextmanager
    def listen(self, topics: Sequence[Topic]) -> Iterator[Listener]:
        """A listener to one topic or more; awake from the beginning."""
        listener = Listener(topics)
        listener.wake(topics)
        self._listeners.add(listener)
        try:
            yield listener
        finally:
            self._listeners.discard(listener)

    async def read(self, topic: Topic, after: str) -> Page:
        """What came of a topic after an id, as of now; nothing while Redis is away."""
        place = (stream_of(topic), after)
        if place not in self._reads:
            read = asyncio.to_thread(_read, self._store, topic, *place)
            self._reads[place] = asyncio.create_task(read)
        # Shared: it goes on for the others when this listener leaves.
        return await asyncio.shield(self._reads[place])

    def _wake(self, runs: set[str] | None) -> None:
        heard = {topic for each in self._listeners for topic in each.topics}
        woken = heard if runs is None else heard.intersection({*runs, None})
        quiet = {stream_of(topic) for topic in heard - woken}
        # What was read of the others may lack what happened now.
        self._reads = {place: read for place, read in self._reads.items() if place[0] in quiet}
        for listener in self._listeners:
            listener.wake(woken)

    def _tell(self, runs: set[str] | None) -> None:
        """Wake the listeners of `runs` (None: all) from another thread."""
        if self._loop is not None:
            # The loop may have ended: then nobody is left to be woken.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._wake, runs)

    def _work(self) -> None:
        while not self.closed:
            try:
                self._follow()
            except StoreError as error:
                log.info("live events wait: %s", error)
                self._closing.wait(RETRY_S)
            except Exception:
                # One strange entry must not end the live events of all runs.
                log.exception("live events stumbled and go on")
                self._closing.wait(RETRY_S)

    def _follow(self) -> None:
        """Wake whoever is concerned by each new event, until closed or Redis is away."""
        shards = [keys.shard_events(shard) for shard in range(keys.SHARDS)]
        places: dict[Any, Any] = {stream: newest_id(self._store, stream) for stream in shards}
        self._tell(None)
        quiet = 0
        while not self.closed:
            with reachable(self._store.redis_url):
                answer: Any = self._store.data.xread(places, count=PAGE, block=BLOCK_MS)
            runs: set[str] = set()
            for stream, entries in answer or ():
                places[text(stream)] = text(entries[-1][0])
                runs |= {text(fields.get(b"run", b"")) for _, fields in entries}
            quiet = 0 if runs else quiet + 1
            if runs or quiet % QUIET_READS == 0:
                self._tell(runs or None)


def _read(store: Store, run: str | None, stream: str, after: str) -> Page:
    try:
        events = tuple(read_after(store, stream, after))
        if events and after != NOTHING and not still_holds(store, stream, after):
            return Page(reset=newest_id(store, stream))
        if not events and run is not None:
            segments_of(store, run)
        return Page(events)
    except UnknownRunError:
        return Page(gone=True)
    except StoreError:
        return Page()
