"""The rules that hold now: those of the settings, and those made over REST."""

import logging
from collections.abc import Sequence

from monitor.alerts.rule import Rule, parse_rule
from monitor.errors import RuleError
from monitor.store.connection import Store
from monitor.store.rules import stored_rules
from monitor.watch.run_watch import RunWatch

log = logging.getLogger(__name__)


class Rulebook:
    """Reads the rules that were made over REST, and hands all to whoever watches a run.

    Args:
        store: where they are.
        own: those of the settings; one that REST made too stays the settings'.
    """

    def __init__(self, store: Store, own: Sequence[Rule] = ()) -> None:
        self._store = store
        self._own = {rule.id: rule for rule in own}
        self._rules = dict(self._own)
        self._refused: set[str] = set()

    def read(self) -> bool:
        """Read them again; whether they are others than before."""
        found: dict[str, Rule] = {}
        for name, told in stored_rules(self._store).items():
            try:
                rule = parse_rule(told)
            except RuleError as error:
                # Of a newer version, perhaps: the others must not suffer.
                if name not in self._refused:
                    log.warning("the stored rule %r is left out: %s", name, error)
                self._refused.add(name)
            else:
                found[rule.id] = rule
        before, self._rules = self._rules, {**found, **self._own}
        return self._rules != before

    def hand_to(self, watch: RunWatch) -> None:
        """Let a run be watched by the rules as they were last read."""
        watch.rules.choose(self._rules.values(), self._store.now_s())
