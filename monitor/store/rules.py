"""Rules that were made over REST, as they were written."""

import json
from typing import Any

from monitor.errors import StoreError, UnknownRuleError
from monitor.store.connection import Store, reachable, text
from trainer_hooks import keys

#: Most rules that can be made over REST: each is evaluated at every point of its metric.
MOST_RULES = 200

#: Keep a rule unless there are too many. KEYS rules · ARGV id, JSON, most. Returns 1, or 0.
_KEEP = """
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0
  and redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[3]) then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return 1
"""


def stored_rules(store: Store) -> dict[str, dict[str, Any]]:
    """Each rule's table by its id, in the order of the ids."""
    with reachable(store.redis_url):
        found: Any = store.data.hgetall(keys.RULES)
    return {text(name): json.loads(told) for name, told in sorted(found.items())}


def keep_rule(store: Store, rule: str, told: dict[str, Any]) -> None:
    """Store a rule; one with the same id is replaced.

    Raises:
        StoreError: there are MOST_RULES already.
    """
    with reachable(store.redis_url):
        script = store.data.register_script(_KEEP)
        kept = script(keys=[keys.RULES], args=[rule, json.dumps(told), MOST_RULES])
    if not kept:
        raise StoreError(f"there are {MOST_RULES} rules already; delete one first")


def delete_rule(store: Store, rule: str) -> None:
    """Remove a rule.

    Raises:
        UnknownRuleError: there is no such rule.
    """
    with reachable(store.redis_url):
        removed = store.data.hdel(keys.RULES, rule)
    if not removed:
        raise UnknownRuleError(f"no rule has the id {rule!r}")
