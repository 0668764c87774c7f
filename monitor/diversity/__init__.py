"""Mode diversity D: nearest modes and their entropy."""

from typing import TYPE_CHECKING, Any

from monitor.diversity.entropy import (
    chao_wang_jost_entropy,
    chao_wang_jost_stderr,
    coverage,
    james_stein_entropy,
    james_stein_stderr,
    minimum_samples,
    observed_modes,
)

if TYPE_CHECKING:
    from monitor.diversity.modes import nearest_mode

__all__ = [
    "chao_wang_jost_entropy",
    "chao_wang_jost_stderr",
    "coverage",
    "james_stein_entropy",
    "james_stein_stderr",
    "minimum_samples",
    "nearest_mode",
    "observed_modes",
]


def __getattr__(name: str) -> Any:
    # Entropies, and whoever lists reference sets, must not cost the seconds of torch.
    if name != "nearest_mode":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from monitor.diversity.modes import nearest_mode

    return nearest_mode
