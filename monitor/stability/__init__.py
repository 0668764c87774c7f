"""Training stability S: angles between consecutive weight vectors."""

from monitor.stability.angle import AngleTerms, angle_terms, weight_angle
from monitor.stability.block import block_terms
from monitor.stability.sketched import (
    SketchedAngle,
    TensorSketch,
    sketch_stderr,
    sketch_variances,
    sketched_angle,
    stderr_of,
)

__all__ = [
    "AngleTerms",
    "SketchedAngle",
    "TensorSketch",
    "angle_terms",
    "block_terms",
    "sketch_stderr",
    "sketch_variances",
    "sketched_angle",
    "stderr_of",
    "weight_angle",
]
