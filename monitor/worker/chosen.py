"""What a run asked for of its sample batches, out of what every worker offers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from monitor.diversity.companions.companion import Companion
from monitor.diversity.companions.offered import OFFERED
from trainer_hooks.errors import BadNameError
from trainer_hooks.names import MAX_METRIC_NAME, check_name

#: Series that come with D.
WITH_D = ("D", "D.cwj", "D.modes", "D.coverage", "D.unaligned")
#: Unknown names that are told of; a list of thousands is a mistake that a few show as well.
MOST_UNKNOWN = 8


@dataclass(frozen=True, slots=True)
class Chosen:
    """Metrics of a run's sample batches; by default those that need no asking.

    Attributes:
        quality, diversity: whether Q, and whether D and what comes with it.
        companions: of D.
        unknown: names that nobody offers.
        samples: of a whole batch, 0 if the run does not say.
    """

    quality: bool = True
    diversity: bool = True
    companions: tuple[Companion, ...] = ()
    unknown: tuple[str, ...] = ()
    samples: int = 0

    def metrics(self) -> list[str]:
        """Names of the series that have no value when a batch is lost."""
        own = [name for name, on in (("Q", self.quality), ("D", self.diversity)) if on]
        return own + [metric for companion in self.companions for metric in companion.metrics]


def chosen_by(config: Mapping[str, Any]) -> Chosen:
    """What the settings of a run ask for: ``metrics=["Q", "D", "kid"]``; without it Q and D.

    A companion has the name in `OFFERED` or those of its series; S and scalars are no business of
    sample batches.
    """
    samples = config.get("samples")
    samples = samples if type(samples) is int and samples > 0 else 0
    asked = config.get("metrics")
    if not isinstance(asked, list) or not asked:
        return Chosen(samples=samples)
    names = list(dict.fromkeys(str(name) for name in asked))
    found = {name: companion for name in names if (companion := _companion(name))}
    unknown = [n for n in names if n not in found and n != "Q" and n not in WITH_D and _is_ours(n)]
    return Chosen(
        quality="Q" in names,
        diversity=not set(names).isdisjoint(WITH_D),
        companions=tuple({each.name: each for each in found.values()}.values()),
        unknown=tuple(unknown[:MOST_UNKNOWN]),
        samples=samples,
    )


def _companion(name: str) -> Companion | None:
    plain = name.lower().removeprefix("d.")
    for companion in OFFERED.values():
        if plain == companion.name or f"D.{plain}" in companion.metrics:
            return companion
    return None


def _is_ours(name: str) -> bool:
    """Whether a name can only mean a metric of sample batches; ``S.G`` and ``loss.D`` do not."""
    try:
        check_name(name, what="metric", longest=MAX_METRIC_NAME)
    except BadNameError:
        return False
    return name.startswith("D.") or ("." not in name and name != "S")
