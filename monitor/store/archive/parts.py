"""The keys that a run may have, with their types; spelt by `trainer_hooks.keys`, nowhere else."""

import re
from collections.abc import Callable
from typing import Literal

from monitor.errors import ArchiveError
from trainer_hooks import keys

Type = Literal["hash", "string", "zset", "stream"]

#: Stand for what a key is made with: words never hold the colon between them, see `keys.quote`.
_WORD, _NUMBER = "WORD", 1234567
_SIGNATURE = {_WORD: "[^:]{1,8192}", str(_NUMBER): r"\d{1,19}"}
#: The run in whose keys the names of the parts are looked up.
_ANY = "any"

_HASHES: tuple[Callable[[str], str], ...] = (
    keys.meta, keys.segments, keys.members, keys.rows, keys.metrics, keys.problems, keys.alerts,
    keys.control, keys.watch, keys.grids, keys.modes, keys.alert_marks, keys.deliveries, keys.edits,
)  # fmt: skip
_TYPES: dict[str, Type] = {
    **{key(_ANY): "hash" for key in _HASHES},
    keys.events(_ANY): "stream",
    keys.parts(_ANY, _WORD, _NUMBER): "hash",
    keys.weight_parts(_ANY, _WORD, _WORD, _NUMBER, _NUMBER): "hash",
    keys.settled_calls(_ANY, _WORD, _WORD, _NUMBER, _NUMBER): "string",
    keys.waiting_rows(_ANY, _WORD): "zset",
    keys.column(_ANY, _WORD, _WORD, _NUMBER, _WORD): "string",
}


def part_of(key: str) -> str:
    """What stands behind the run's name in one of its keys."""
    return keys.run_and_part(key)[1]


def type_of(part: str) -> Type:
    """Redis type of a part.

    Raises:
        ArchiveError: no run has such a key.
    """
    for pattern, kind in _PATTERNS:
        if pattern.fullmatch(part):
            return kind
    raise ArchiveError(f"no run has a key that ends with {part[:100]!r}; is this sqd too old?")


def _pattern(part: str) -> re.Pattern[str]:
    words = re.split(f"({'|'.join(_SIGNATURE)})", part)
    spelt = (_SIGNATURE.get(word) or re.escape(word) for word in words)
    return re.compile("".join(spelt), re.ASCII)


_PATTERNS: list[tuple[re.Pattern[str], Type]] = [
    (_pattern(part_of(key)), kind) for key, kind in _TYPES.items()
]
