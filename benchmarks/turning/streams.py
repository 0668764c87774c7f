"""What rivals are fed: the observations that our own tracks judge, one series a metric."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import log

from monitor.turning.block import Block, Observation
from monitor.turning.case import Case
from monitor.turning.settings import ALIVE_QUALITY, FACELESS_BATCHES, Family, family_of


@dataclass(frozen=True, slots=True)
class Stream:
    """One metric of a run.

    Attributes:
        metric: its name.
        family: of S, Q and D.
        observations: S in log, by blocks of at most 25 values and their 90% quantile; Q and D as
            they are, from the first batch with faces on. So every rival has what ours has.
    """

    metric: str
    family: Family
    observations: tuple[Observation, ...]

    @property
    def values(self) -> list[float]:
        """Larger is worse."""
        return [seen.value * self.family.bad for seen in self.observations]


def streams(case: Case) -> Iterator[Stream]:
    """The metrics of a run that there are."""
    names = sorted({name for record in case.records for name in record.values})
    alive = alive_from(case)
    for name in names:
        family = family_of(name)
        if family is None:
            continue
        seen = stability(case, name) if family.name == "S" else samples(case, name, alive)
        yield Stream(name, family, tuple(seen))


def stability(case: Case, name: str) -> Iterator[Observation]:
    """S in blocks whose length follows the sample batches, as in ours."""
    block = Block()
    sampled = any(name in ("Q", "D") for record in case.records for name in record.values)
    spacing = case.spacing if sampled else 0.0
    for record in case.records:
        value = record.values.get(name)
        if value is not None and value > 0 and block.add(record.step, log(value)):
            yield block.close(record.step, record.epoch, spacing)


def samples(case: Case, name: str, alive: int) -> Iterator[Observation]:
    """Q or D from this step on."""
    for record in case.records:
        value = record.values.get(name)
        if value is not None and record.step >= alive:
            yield Observation(record.step, record.step, record.epoch, value, value)


def alive_from(case: Case) -> int:
    """Step from which Q and D mean something: there are faces, or there never will be."""
    seen = [(r.step, r.values["Q"]) for r in case.records if r.values.get("Q") is not None]
    for number, (step, quality) in enumerate(seen):
        if number >= FACELESS_BATCHES or (quality is not None and quality >= ALIVE_QUALITY):
            return step
    return seen[-1][0] if seen else 0
