"""Mode diversity D: nearest modes and their entropy."""

from monitor.diversity.entropy import (
    chao_wang_jost_entropy,
    chao_wang_jost_stderr,
    coverage,
    james_stein_entropy,
    james_stein_stderr,
    minimum_samples,
    observed_modes,
)
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
