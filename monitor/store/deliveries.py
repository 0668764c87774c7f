"""Deliveries: which notices wait, and what became of each at each channel.

A notice is one alert at one channel. Before it is sent its record says so, and afterwards how it
ended: whoever finds a record that still says ``sending`` long afterwards cannot know whether it
went out, and only then it is sent again.
"""

import json
from dataclasses import dataclass
from typing import Any, Literal

from monitor.store.connection import Store, reachable, text
from monitor.store.counters import COUNT
from monitor.store.segments import plain
from monitor.store.watching import Lease
from trainer_hooks import keys

State = Literal["sending", "sent", "waiting", "given_up", "muted"]
#: A notice that has been on its way for longer is its sender's no more, seconds: more than any
#: channel takes (see alerts/channels.py).
SENDING_S = 120.0
#: Alerts looked at in one go.
PAGE = 20

# Raise a run's problem; fields as in FINISH (scripts.py).
_PROBLEM = """
local function problem(key, field, told)
  local old = redis.call('HGET', key, field)
  local all = old and cjson.decode(old) or told
  all.count = old and all.count + 1 or 1
  all.last_step = told.last_step
  all.reason = told.reason
  redis.call('HSET', key, field, cjson.encode(all))
end
"""

#: Say that a notice is being sent.
#: KEYS 1 lease, 2 segments, 3 deliveries · ARGV 1 lease value, 2 field, 3 token, 4 seconds after
#: which another's sending is over
#: Returns ['go', tries], ['due', when], or what stands against it: 'lost', 'deleted', 'ended'.
BEGIN = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return {'lost', '0'} end
if redis.call('EXISTS', KEYS[2]) == 0 then return {'deleted', '0'} end
local clock = redis.call('TIME')
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1e6
local old = redis.call('HGET', KEYS[3], ARGV[2])
local record = old and cjson.decode(old) or {tries = 0, error = ''}
if record.state == 'waiting' and record.due > now then
  return {'due', string.format('%.3f', record.due)}
elseif record.state == 'sending' and record.time + tonumber(ARGV[4]) > now then
  return {'due', string.format('%.3f', record.time + tonumber(ARGV[4]))}
elseif record.state == 'sent' or record.state == 'given_up' or record.state == 'muted' then
  return {'ended', '0'}
end
record.tries = record.tries + 1
record.state, record.token, record.time = 'sending', ARGV[3], now
redis.call('HSET', KEYS[3], ARGV[2], cjson.encode(record))
return {'go', tostring(record.tries)}
"""

#: Say how it ended, unless it is another's by now.
#: KEYS 1 segments, 2 deliveries, 3 problems, 4 counters · ARGV 1 field, 2 token, 3 state,
#: 4 seconds until the next try, 5 error, 6 problem field ('' for none), 7 problem JSON
SETTLE = f"""{_PROBLEM}{COUNT}
local old = redis.call('HGET', KEYS[2], ARGV[1])
if not old or redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
local record = cjson.decode(old)
if record.state ~= 'sending' or record.token ~= ARGV[2] then return 0 end
local clock = redis.call('TIME')
record.time = tonumber(clock[1]) + tonumber(clock[2]) / 1e6
record.state, record.error, record.due = ARGV[3], ARGV[5], record.time + tonumber(ARGV[4])
redis.call('HSET', KEYS[2], ARGV[1], cjson.encode(record))
if ARGV[6] ~= '' then problem(KEYS[3], ARGV[6], cjson.decode(ARGV[7])) end
if ARGV[3] ~= 'waiting' then count(KEYS[4], 'notices:' .. ARGV[3], 1) end
return 1
"""


@dataclass(frozen=True, slots=True)
class Notice:
    """One alert at one channel.

    Attributes:
        run, alert: their ids.
        channel: id of the channel.
        token: of this try; unique.
    """

    run: str
    alert: str
    channel: str
    token: str

    @property
    def field(self) -> str:
        """Its field in the run's hash."""
        return f"{self.alert}|{self.channel}"


def due_alerts(store: Store, shard: int, now_s: float) -> list[tuple[str, str]]:
    """Alerts (run, id) whose notices are due, those that wait longest first; PAGE at most."""
    with reachable(store.redis_url):
        found: Any = store.data.zrangebyscore(keys.notices(shard), "-inf", now_s, 0, PAGE)
    pairs = [text(member).partition("|") for member in found]
    return [(run, alert) for alert, _, run in pairs]


def outcome(
    store: Store, shard: int, run: str, alert: str, channel: str
) -> State | Literal["", "queued"]:
    """What became of an alert at a channel; ``queued``: nobody has begun, "": nobody will."""
    with reachable(store.redis_url):
        pipe = store.data.pipeline(transaction=False)
        pipe.hget(keys.deliveries(run), f"{alert}|{channel}")
        pipe.zscore(keys.notices(shard), f"{alert}|{run}")
        record, due = pipe.execute()
    if record is None:
        return "" if due is None else "queued"
    state: State = json.loads(record)["state"]
    return state


def heard_at_s(store: Store, run: str) -> float:
    """When the run's trainer was last heard, Unix seconds by the Redis clock; 0 if it is gone."""
    with reachable(store.redis_url):
        heartbeat = store.data.hget(keys.meta(run), "heartbeat")
    return float(text(heartbeat)) if heartbeat is not None else 0.0


def put_off(store: Store, lease: Lease, run: str, alert: str, due_s: float | None) -> None:
    """Look at an alert again at `due_s`, Unix seconds by the Redis clock; None: never."""
    member, key = f"{alert}|{run}", keys.notices(lease.shard)
    with reachable(store.redis_url):
        if due_s is None:
            store.data.zrem(key, member)
        else:
            store.data.zadd(key, {member: due_s}, xx=True)


def begin(store: Store, lease: Lease, notice: Notice) -> tuple[str, float]:
    """Say that a notice is being sent.

    Returns:
        ``go`` and how often it was tried, this time included; ``due`` and when it may be tried;
        ``ended``: there is nothing to do; ``lost``: the lease; ``deleted``: the run.
    """
    with reachable(store.redis_url):
        script = store.data.register_script(BEGIN)
        answer: Any = script(
            keys=[keys.watch_lease(lease.shard), keys.segments(notice.run),
                  keys.deliveries(notice.run)],
            args=[lease.value, notice.field, notice.token, SENDING_S],
        )  # fmt: skip
    return text(answer[0]), float(answer[1])


def settle(
    store: Store,
    notice: Notice,
    state: State,
    *,
    error: str = "",
    again_s: float = 0.0,
    problem: dict[str, Any] | None = None,
) -> None:
    """Say how a notice ended.

    Args:
        store: both Redis servers.
        notice: which `begin` let go.
        state: how.
        error: why it failed, for people.
        again_s: seconds until the next try, if it waits.
        problem: shown with the run, if it was given up; as in `RunRecord.problems`.
    """
    field = "" if problem is None else f"{problem['metric']}|{problem['status']}|{notice.channel}"
    with reachable(store.redis_url):
        script = store.data.register_script(SETTLE)
        script(
            keys=[keys.segments(notice.run), keys.deliveries(notice.run),
                  keys.problems(notice.run), keys.counters(keys.shard_of(notice.run))],
            args=[notice.field, notice.token, state, again_s, error, field, json.dumps(problem)],
        )  # fmt: skip


def read_deliveries(store: Store, run: str) -> list[dict[str, Any]]:
    """What became of the run's notices: alert, channel, state, tries, time, error; oldest first."""
    with reachable(store.redis_url):
        stored = plain(store.data.hgetall(keys.deliveries(run)))
    found = []
    for field, told in stored.items():
        alert, _, channel = field.partition("|")
        record = json.loads(told)
        about = {name: record[name] for name in ("state", "tries", "time", "error")}
        found.append({"alert": alert, "channel": channel, **about})
    return sorted(found, key=lambda each: float(each["time"]))
