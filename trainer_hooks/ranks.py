"""Which process of a distributed training speaks for all of them: rank 0."""

import multiprocessing
import os
import sys
from collections.abc import Mapping
from typing import Any

#: Overrules everything: processes of one launcher that train each their own network set it to 0.
OWN_VARIABLE = "SQD_RANK"
#: Where launchers tell the rank, the most particular first: torchrun and Accelerate; Open MPI;
#: other MPIs; srun; Lightning's own launcher, which tells its children nothing else.
LAUNCHER_VARIABLES = ("RANK", "OMPI_COMM_WORLD_RANK", "PMI_RANK", "SLURM_PROCID", "LOCAL_RANK")
#: Of these, those that mean one process and no other. The script of one Slurm task may begin
#: several, and each host has its LOCAL_RANK=0.
CERTAIN_VARIABLES = LAUNCHER_VARIABLES[:3]


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
        certain = _first_number(environment, (OWN_VARIABLE, *CERTAIN_VARIABLES))
        self._certain = certain is not None and is_main_process()

    @property
    def number(self) -> int:
        """The rank as it is known now; 0 where nobody says anything."""
        if self._forced is not None:
            return self._forced
        grouped = _rank_in_group()
        return self._told if grouped is None else grouped

    @property
    def certain(self) -> bool:
        """Whether nobody will tell another rank later; where nothing tells it yet, somebody may."""
        return self._certain or _rank_in_group() is not None


def is_main_process() -> bool:
    """False in a child of `multiprocessing`: it inherits what launchers tell, and a data loader's
    may run the trainer's script up to its main part."""
    return multiprocessing.parent_process() is None


def _rank_in_group() -> int | None:
    # Never imported for a trainer that has not: that would cost it seconds.
    distributed: Any = sys.modules.get("torch.distributed")
    if distributed is not None and distributed.is_available() and distributed.is_initialized():
        return int(distributed.get_rank())
    return None


def _first_number(environment: Mapping[str, str], names: tuple[str, ...]) -> int | None:
    told = (environment.get(name, "") for name in names)
    return next((int(text) for text in told if text.strip().isdecimal()), None)
