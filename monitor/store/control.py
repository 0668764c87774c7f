"""What is asked of a trainer: to stop. It hears it with its next heartbeat, and decides itself."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from monitor.errors import UnknownRunError
from monitor.store.connection import Store, reachable, text
from monitor.store.events import MOST_EVENTS
from monitor.store.segments import plain, segments_of
from trainer_hooks import keys

#: Longest name of who asks and longest reason that are kept, characters.
MOST_BY, MOST_REASON = 128, 500

# A request is for the process that trains when it is made: one that resumes the run later, perhaps
# after a rewind, must not stop at once.
_TELL = """
local function tell(run, stop, most)
  local data = cjson.encode({run = run, stop = stop})
  for _, stream in ipairs({KEYS[4], KEYS[5]}) do
    redis.call('XADD', stream, 'MAXLEN', '~', most, '*', 'event', 'stop', 'run', run, 'data', data)
  end
end
"""

#: Ask the newest process of a run to stop; a request that it has already stays the first one.
#: KEYS 1 segments, 2 meta, 3 control, 4 events, 5 shard events
#: ARGV 1 run, 2 by, 3 reason, 4 most events · Returns 'asked', 'known' or 'unknown'.
ASK = f"""{_TELL}
local newest = redis.call('HGET', KEYS[2], 'segment')
if not newest or redis.call('EXISTS', KEYS[1]) == 0 then return 'unknown' end
if redis.call('HGET', KEYS[3], 'stop.segment') == newest then return 'known' end
local clock = redis.call('TIME')
local asked = string.format('%d.%03d', clock[1], math.floor(clock[2] / 1000))
redis.call('HDEL', KEYS[3], 'stop.told')
redis.call('HSET', KEYS[3], 'stop.segment', newest, 'stop.asked', asked, 'stop.by', ARGV[2],
  'stop.reason', ARGV[3])
local stop = {{asked = tonumber(asked), by = ARGV[2], reason = ARGV[3], told = cjson.null}}
tell(ARGV[1], stop, ARGV[4])
return 'asked'
"""

#: Take the request back. KEYS as in ASK · ARGV 1 run, 2 most events
#: Returns 1, or 0 if there was none.
WITHDRAW = f"""{_TELL}
if redis.call('HDEL', KEYS[3], 'stop.segment') == 0 then return 0 end
tell(ARGV[1], cjson.null, ARGV[2])
return 1
"""


@dataclass(frozen=True, slots=True)
class Stop:
    """A request to stop.

    Attributes:
        asked: Unix seconds by the Redis clock.
        by: who asked: ``rest``, the page, the name of a rule.
        reason: for people; may be "".
        told: when the trainer heard it, Unix seconds; None while it has not.
    """

    asked: float
    by: str
    reason: str
    told: float | None

    def as_dict(self) -> dict[str, Any]:
        """JSON form, as REST and server-sent events carry it."""
        return asdict(self)


def ask_to_stop(store: Store, run: str, by: str, reason: str = "") -> bool:
    """Ask the trainer of a run to stop: `run.should_stop()` there is true within a heartbeat.

    Args:
        store: both Redis servers.
        run: its id.
        by: who asks, for people.
        reason: why, for people.
    Returns:
        Whether this is a new request; one that waits already stays as it is.
    Raises:
        UnknownRunError: there is no such run.
    """
    with reachable(store.redis_url):
        script = store.data.register_script(ASK)
        told = (run, _cut(by, MOST_BY), _cut(reason, MOST_REASON), MOST_EVENTS)
        answer = text(script(keys=_keys(run), args=told))
    if answer == "unknown":
        raise UnknownRunError(f"no run is called {run!r}")
    return answer == "asked"


def withdraw(store: Store, run: str) -> bool:
    """Take the request back, if there is one; whether there was.

    Raises:
        UnknownRunError: there is no such run.
    """
    segments_of(store, run)
    with reachable(store.redis_url):
        script = store.data.register_script(WITHDRAW)
        return bool(script(keys=_keys(run), args=[run, MOST_EVENTS]))


def stop_of(store: Store, run: str) -> Stop | None:
    """The request that the run's newest process has, or None.

    Raises:
        UnknownRunError: there is no such run.
    """
    segments_of(store, run)
    with reachable(store.redis_url):
        pipe = store.data.pipeline(transaction=False)
        pipe.hgetall(keys.control(run))
        pipe.hget(keys.meta(run), "segment")
        control, segment = pipe.execute()
    return parse_stop(plain(control), text(segment))


def parse_stop(control: Mapping[str, str], segment: str) -> Stop | None:
    """The request in a run's control hash if it is for `segment`, the run's newest."""
    if control.get("stop.segment") != segment:
        return None
    told = control.get("stop.told")
    return Stop(
        asked=float(control["stop.asked"]),
        by=control["stop.by"],
        reason=control["stop.reason"],
        told=None if told is None else float(told),
    )


def _keys(run: str) -> list[str]:
    shard_events = keys.shard_events(keys.shard_of(run))
    parts = (keys.segments, keys.meta, keys.control, keys.events)
    return [*(part(run) for part in parts), shard_events]


def _cut(words: str, most: int) -> str:
    """As much as is kept, as text that Redis takes."""
    return words[:most].encode(errors="replace").decode()
