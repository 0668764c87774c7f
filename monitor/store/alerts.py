"""Alerts of a run, and what became of them: acknowledged, muted, resolved.

An alert is stored once and never changed; its marks lie beside it, so that a watch, a person and a
notice may each add theirs in any order.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from monitor.errors import UnknownAlertError
from monitor.store.connection import Store, reachable, text
from monitor.store.events import MOST_EVENTS
from monitor.store.segments import plain, segments_of
from trainer_hooks import keys

Mark = Literal["acknowledged", "muted_until", "resolved"]
#: Stored beside the alert.
MARKS: tuple[Mark, ...] = ("acknowledged", "muted_until", "resolved")
#: What alerts that are older than these fields lack.
LATER_FIELDS = {"rule": None, "follows": None}

#: Lua: JSON of an alert with its marks. The alert's own JSON is kept as it is: cjson would turn its
#: empty lists into objects and shorten its numbers.
SHOWN = f"""
local function shown(alerts, marks, id)
  local alert = redis.call('HGET', alerts, id)
  if not alert then return nil end
  local parts = {{string.sub(alert, 1, -2)}}
  for _, mark in ipairs({{{", ".join(f"'{mark}'" for mark in MARKS)}}}) do
    local value = redis.call('HGET', marks, id .. ':' .. mark) or 'null'
    parts[#parts + 1] = ', "' .. mark .. '": ' .. value
  end
  return table.concat(parts) .. '}}'
end
"""

#: Mark an alert, and tell of it if that changed something.
#: KEYS 1 segments, 2 alerts, 3 marks, 4 events, 5 shard events
#: ARGV 1 run, 2 alert id, 3 mark, 4 value ('' takes it away), 5 whether an earlier value stays,
#:   6 most events · Returns the alert, or nothing if it is unknown.
MARK = f"""{SHOWN}
if redis.call('EXISTS', KEYS[1]) == 0 or redis.call('HEXISTS', KEYS[2], ARGV[2]) == 0 then
  return false
end
local field = ARGV[2] .. ':' .. ARGV[3]
local changed
if ARGV[4] == '' then changed = redis.call('HDEL', KEYS[3], field)
elseif ARGV[5] == '1' then changed = redis.call('HSETNX', KEYS[3], field, ARGV[4])
else
  redis.call('HSET', KEYS[3], field, ARGV[4])
  changed = 1
end
local data = shown(KEYS[2], KEYS[3], ARGV[2])
if changed == 1 then
  for _, stream in ipairs({{KEYS[4], KEYS[5]}}) do
    redis.call('XADD', stream, 'MAXLEN', '~', ARGV[6], '*', 'event', 'alert', 'run', ARGV[1],
      'data', data)
  end
end
return data
"""


def read_alerts(store: Store, run: str) -> list[dict[str, Any]]:
    """The run's alerts with their marks, in the order of detection; empty if there is no run."""
    with reachable(store.redis_url):
        pipe = store.data.pipeline(transaction=False)
        pipe.hgetall(keys.alerts(run))
        pipe.hgetall(keys.alert_marks(run))
        alerts, marks = pipe.execute()
    return parse_alerts(plain(alerts), plain(marks))


def parse_alerts(alerts: Mapping[str, str], marks: Mapping[str, str]) -> list[dict[str, Any]]:
    """Alerts with their marks, from two hashes as they lie in Redis."""
    found = []
    for stored in alerts.values():
        alert = {**LATER_FIELDS, **json.loads(stored)}
        for mark in MARKS:
            value = marks.get(f"{alert['id']}:{mark}")
            alert[mark] = None if value is None else float(value)
        found.append(alert)
    return sorted(found, key=lambda alert: (float(alert.get("time") or 0), str(alert.get("id"))))


def mark_alert(
    store: Store, run: str, alert: str, mark: Mark, time: float | None
) -> dict[str, Any]:
    """Mark an alert.

    Args:
        store: both Redis servers.
        run, alert: their ids.
        mark: which; one that is there stays as it is, but for ``muted_until``.
        time: Unix seconds; None takes the mark away.
    Returns:
        The alert with its marks.
    Raises:
        UnknownRunError, UnknownAlertError: named in the message.
    """
    segments_of(store, run)
    shard_events = keys.shard_events(keys.shard_of(run))
    parts = (keys.segments, keys.alerts, keys.alert_marks, keys.events)
    stays = "0" if mark == "muted_until" else "1"
    value = "" if time is None else json.dumps(time)
    with reachable(store.redis_url):
        script = store.data.register_script(MARK)
        answer = script(
            keys=[*(part(run) for part in parts), shard_events],
            args=[run, alert, mark, value, stays, MOST_EVENTS],
        )
    if answer is None:
        raise UnknownAlertError(f"run {run!r} has no alert {alert!r}")
    found: dict[str, Any] = json.loads(text(answer))
    return {**LATER_FIELDS, **found}


def open_alerts(alerts: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Warnings and worse that are not over, in their order; the watch says when they are."""
    return [each for each in alerts if each["severity"] != "info" and each["resolved"] is None]


def unseen_alerts(alerts: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Open alerts that nobody has acknowledged."""
    return [each for each in open_alerts(alerts) if each["acknowledged"] is None]
