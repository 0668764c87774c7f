"""What waits for other ranks: touched on one rank alone, it would hang for ever."""

from functools import cache

#: Modules whose forward talks to the other ranks.
COLLECTIVE_MODULES = (
    "DistributedDataParallel",
    "FullyShardedDataParallel",
    "FSDPModule",
    "SyncBatchNorm",
)
#: Modules that hold only this rank's part of the weights.
SHARDED_MODULES = ("FullyShardedDataParallel", "FSDPModule")
#: Tensors of which each rank holds a part.
SHARDED_TENSORS = ("DTensor", "ShardedTensor")


def collective_kind(module: object) -> str:
    """Name of the class that makes the forward of `module` wait for other ranks, or ""."""
    kind: type = type(module)
    return _named(kind, COLLECTIVE_MODULES)


def sharded_kind(value: object) -> str:
    """Name of the class that makes a module or tensor a mere part of the whole, or ""."""
    kind: type = type(value)
    return _named(kind, SHARDED_MODULES + SHARDED_TENSORS)


@cache
def _named(asked: type, names: tuple[str, ...]) -> str:
    # By name: importing torch.distributed to ask for its classes would cost a trainer seconds.
    return next((kind.__name__ for kind in asked.__mro__ if kind.__name__ in names), "")
