"""What Q and D of a run are measured with, and where another evaluator took over."""

import json
from dataclasses import dataclass
from typing import Any

from monitor.store.connection import Store, reachable, text
from trainer_hooks import keys

#: By metric: where it lies in the hash of a run's rows, and what must stay the same in it. What
#: one of two does not know is no difference: a record may be older than that.
MADE_WITH: dict[str, tuple[str, tuple[str, ...]]] = {
    "Q": ("scoring", ("evaluator", "sha256")),
    "D": ("provenance", ("embedder_sha256", "reference_sha256")),
}
#: Its changes, in the same hash.
CHANGES = "measured"
#: Changes kept of a run, the newest; workers that differ take turns with every batch.
MOST_CHANGES = 100

#: Keeps in the hash `key` what a metric was made with (`field`, `told`), and as a change at the
#: place `at` if what must stay the `same` did not.
KEEP_MADE_WITH = f"""
local function keep_made_with(key, made)
  local before, changed = redis.call('HGET', key, made.field), false
  local known, new = cjson.decode(before or '{{}}'), cjson.decode(made.told)
  for _, field in ipairs(made.same) do
    changed = changed or (known[field] and new[field] and known[field] ~= new[field])
  end
  if changed then
    local changes = cjson.decode(redis.call('HGET', key, '{CHANGES}') or '[]')
    changes[#changes + 1] = {{at = made.at, before = before, after = made.told}}
    if #changes > {MOST_CHANGES} then table.remove(changes, 1) end
    redis.call('HSET', key, '{CHANGES}', cjson.encode(changes))
  end
  redis.call('HSET', key, made.field, made.told)
end
"""


@dataclass(frozen=True, slots=True)
class Remeasured:
    """From this batch on a metric is measured with something else.

    Attributes:
        metric: ``Q`` or ``D``.
        ordinal, row: segment and row of that batch.
        step, time: of its push.
        before, after: with what, in words.
    """

    metric: str
    ordinal: int
    row: int
    step: int
    time: float
    before: str
    after: str


def changes_of(store: Store, run: str) -> list[Remeasured]:
    """Changes of a run, in the order they were stored."""
    with reachable(store.redis_url):
        found = store.data.hget(keys.rows(run), CHANGES)
    return parse_changes(text(found) if isinstance(found, bytes) else None)


def parse_changes(stored: str | None) -> list[Remeasured]:
    """Changes as the script FINISH keeps them; None for none."""
    return [
        _change(json.loads(each["at"]), json.loads(each["before"]), json.loads(each["after"]))
        for each in json.loads(stored or "[]")
    ]


def _change(at: dict[str, Any], before: dict[str, Any], after: dict[str, Any]) -> Remeasured:
    place = int(at["ordinal"]), int(at["row"]), int(at["step"]), float(at["time"])
    return Remeasured(str(at["metric"]), *place, _in_words(before), _in_words(after))


def _in_words(made_with: dict[str, Any]) -> str:
    if "reference" in made_with:
        return f"{made_with['embedder']} and reference {made_with['reference']}"
    return str(made_with["evaluator"])
