"""What of the points is in an answer: how many, whether they are true, and the spike."""

from dataclasses import dataclass

import numpy as np

from benchmarks.server.points import Floats
from benchmarks.server.subject import Answer

#: TensorBoard keeps float32.
TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True)
class Fidelity:
    """Of one answer.

    Attributes:
        points: in it.
        true: of these, those that were written so.
        spike: whether the step that is far out is one of the true ones.
    """

    points: int
    true: int
    spike: bool


def judge(answer: Answer, values: Floats, spike: int) -> Fidelity:
    """Compare an answer with what was written.

    Args:
        answer: steps and values.
        values: (steps,) as they were written.
        spike: the step that is far out.
    """
    step, value = np.asarray(answer[0], dtype=np.int64), np.asarray(answer[1], dtype=np.float64)
    known = (step >= 0) & (step < len(values))
    true = np.zeros(len(step), dtype=bool)
    true[known] = np.isclose(value[known], values[step[known]], rtol=TOLERANCE, atol=0)
    return Fidelity(len(step), int(true.sum()), bool(np.any(true & (step == spike))))
