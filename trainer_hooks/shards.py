"""Shards: what this process is to a training whose networks are spread over ranks."""

import operator
from dataclasses import dataclass
from typing import Any

from trainer_hooks.errors import NetworkError, message_of
from trainer_hooks.ranks import Rank, is_main_process
from trainer_hooks.wire import MOST_SHARDS

#: A network and the shard of it, 0 where it is whole: what has snapshots and calls of its own.
Slot = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Shard:
    """Part `index` of `count` of every network that a process pushes with it."""

    index: int
    count: int

    @property
    def of_member(self) -> bool:
        """Whether rank 0, another process, has the rows."""
        return self.index > 0

    def __str__(self) -> str:
        return f"({self.index}, {self.count})"


def slot_of(network: str, shard: Shard | None) -> Slot:
    """What the snapshots of a network, or of a shard of it, are kept under."""
    return network, shard.index if shard else 0


@dataclass(frozen=True, slots=True)
class Admission:
    """A call that does something: the shard it pushes, and what is wrong with it, "" if nothing."""

    shard: Shard | None
    problem: str = ""


class Role:
    """The whole training, its rank 0, or a member: another rank, which brings parts of networks.

    Args:
        rank: of this process, as launchers tell it.

    Attributes:
        decided: whether a call has told, or `decide`.
        shard: the first of this process; None while it pushes whole networks.
    """

    def __init__(self, rank: Rank) -> None:
        self._rank = rank
        self.decided = False
        self.shard: Shard | None = None
        self._refused = False

    @property
    def member(self) -> bool:
        """Whether rank 0 has the rows, scalars, epochs and samples."""
        return self.shard is not None and self.shard.of_member

    @property
    def speaks(self) -> bool:
        """Whether this process speaks for the whole training, as far as it is known now."""
        return not self.member and self._rank.number == 0

    @property
    def ends_unheard(self) -> bool:
        """Whether, if the process ends now, this was a whole training that pushed nothing: not a
        rank whose calls were another's, nor a child that only ran the script."""
        return self.speaks and not self.decided and not self._refused and is_main_process()

    def decide(self) -> bool:
        """Whether this process speaks for the whole training, decided before any call says so.

        Only where the rank is certain. Of processes that are not told who they are, several may
        begin a run of the same name, and the first calls tell which of them is rank 0.
        """
        self.decided = self.speaks and self._rank.certain
        return self.decided

    def admit(self, given: Any = None) -> Admission | None:
        """What a call with `shard=given` does; None: nothing, since rank 0 speaks for all."""
        try:
            shard, problem = checked_shard(given), ""
        except NetworkError as error:
            shard, problem = None, message_of(error)
        elsewhere = self.member or self._rank.number != 0
        if shard is None and not problem and elsewhere:
            self._refused = True
            return None
        if not self.decided:
            if problem and (elsewhere or _names_another_rank(given)):
                # It must not begin a run of its own.
                self._refused = True
                return Admission(None, problem)
            self.decided, self.shard = True, shard
        elif shard is not None and shard != self.shard:
            problem = self._conflict(shard)
            self.shard = self.shard or (None if problem else shard)
        return Admission(self.shard if problem else shard, problem)

    def _conflict(self, shard: Shard) -> str:
        """Why the process cannot become `shard` now, "" if it can."""
        if self.shard is not None and self.shard.count != shard.count:
            return f"shard={shard} after shard={self.shard}: their number must stay the same"
        if self.member and not shard.of_member:
            return (
                f"shard={shard} after shard={self.shard}: shard 0 must be the first of its process"
            )
        if self.shard is None and shard.of_member:
            return f"shard={shard} after this process began a run of whole networks"
        return ""


def checked_shard(given: Any) -> Shard | None:
    """The shard that `shard=given` means; None for a network that is here as a whole.

    Raises:
        NetworkError: it is no (i, n) with 0 ≤ i < n ≤ MOST_SHARDS.
    """
    if given is None:
        return None
    index, count = _numbers(given)
    if not 0 <= index < count <= MOST_SHARDS:
        raise NetworkError(
            f"shard={given!r}: expected (i, n), this rank's part and how many there are, "
            f"0 ≤ i < n ≤ {MOST_SHARDS}"
        )
    return Shard(index, count) if count > 1 else None


def _names_another_rank(given: Any) -> bool:
    """Whether a wrong shard like (2, 2) must be that of a rank other than 0."""
    index, count = _numbers(given)
    return index > 0 and count > 1


def _numbers(given: Any) -> tuple[int, int]:
    """Both numbers of (i, n), (-1, -1) where it is no such thing."""
    try:
        index, count = map(operator.index, given)
    except (TypeError, ValueError):
        return -1, -1
    return index, count
