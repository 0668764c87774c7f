"""Partial results of a sample batch: sums that add up, whoever computed them."""

import json
from dataclasses import asdict, dataclass, field
from typing import Any

#: Why D fails when chunks of one batch went to workers that do not measure alike.
MIXED = "parts of the batch were measured with different embedders or reference sets"

#: Why Q fails then.
MIXED_SCORES = "parts of the batch were scored by different evaluators"


@dataclass(frozen=True, slots=True)
class Partial:
    """What one chunk contributes; numbers add up, of texts the first that is there stays.

    Attributes:
        n: samples.
        values: pixels (or other numbers) in them; `nonfinite`, `clipped`: how many were bad.
        quality_sum, quality_squares: of the scores.
        modes: samples per nearest mode.
        unaligned: samples that the embedder could not align, assigned whole.
        failure: why the batch could not be made; "" if it could.
        quality_failure, diversity_failure: why Q or D could not be computed.
        measured_with: embedder and reference behind `modes` and `features`, by their hashes.
        grid: encoded picture of the first samples, hexadecimal; only of the first chunk.
        scored_with: evaluator behind `quality_sum`.
        features: of D's companions, packed.
        feature_failure: why there are none.
    """

    n: int = 0
    values: int = 0
    nonfinite: int = 0
    clipped: int = 0
    quality_sum: float = 0.0
    quality_squares: float = 0.0
    modes: dict[int, int] = field(default_factory=dict)
    unaligned: int = 0
    failure: str = ""
    quality_failure: str = ""
    diversity_failure: str = ""
    measured_with: str = ""
    grid: str = ""
    scored_with: str = ""
    features: list[str] = field(default_factory=list)
    feature_failure: str = ""

    def __add__(self, other: "Partial") -> "Partial":
        mine, theirs = asdict(self), asdict(other)
        joined: dict[str, Any] = {
            name: mine[name] or theirs[name]
            if isinstance(mine[name], str)
            else mine[name] + theirs[name]
            for name in mine.keys() - {"modes"}
        }
        if len({self.measured_with, other.measured_with} - {""}) > 1:
            joined["diversity_failure"] = joined["feature_failure"] = MIXED
        if len({self.scored_with, other.scored_with} - {""}) > 1:
            joined["quality_failure"] = MIXED_SCORES
        modes = {
            mode: self.modes.get(mode, 0) + other.modes.get(mode, 0)
            for mode in self.modes.keys() | other.modes.keys()
        }
        return Partial(**joined, modes=modes)

    def encode(self) -> bytes:
        """JSON bytes, for the store."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def decode(cls, data: bytes) -> "Partial":
        """The partial that `encode` wrote."""
        fields = json.loads(data)
        fields["modes"] = {int(mode): count for mode, count in fields["modes"].items()}
        return cls(**fields)
