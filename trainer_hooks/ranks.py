"""Which process of a distributed training speaks for all of them: rank 0."""

import os
import sys
from collections.abc import Mapping
from typing import Any

#: Overrules everything: processes of one launcher that train each their own network set it to 0.
OWN_VARIABLE = "SQD_RANK"
#: Where launchers tell the rank, the most particular first: torchrun and Accelerate; Open MPI;
#: other MPIs; srun; Lightning's own launcher, which tells its children nothing else.
LAUNCHER_VARIABLES = ("RANK", "OMPI_COMM_WORLD_RANK", "PMI_RANK", "SLURM_PROCID", "LOCAL_RANK")


class Rank:
    """Place of this process among those that train together.

    A process group of torch that is initialised is believed more than the launcher's variables, and
    may be so at any time after `start`: ask at each call.

    Args:
        environment: the launcher's variables.
    """

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._forced = _first_number(environment, (OWN_VARIABLE,))
        self._told = _first_number(environment, LAUNCHER_VARIABLES) or 0

    @property
    def number(self) -> int:
        """The rank as it is known now; 0 where nobody says anything."""
        if self._forced is not None:
            return self._forced
        # Never imported for a trainer that has not: that would cost it seconds.
        distributed: Any = sys.modules.get("torch.distributed")
        if distributed is not None and distributed.is_available() and distributed.is_initialized():
            return int(distributed.get_rank())
        return self._told


def _first_number(environment: Mapping[str, str], names: tuple[str, ...]) -> int | None:
    told = (environment.get(name, "") for name in names)
    return next((int(text) for text in told if text.strip().isdecimal()), None)
