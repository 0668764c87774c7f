"""How many cores this process may use: those of the machine are not all its own."""

import os
from pathlib import Path

#: Where a container's share of the processor is told (cgroup v2): microseconds in so many.
QUOTA = Path("/sys/fs/cgroup/cpu.max")


def usable_cores() -> int:
    """Cores by the process's affinity and its container's quota, at least 1."""
    affine = hasattr(os, "sched_getaffinity")
    cores = len(os.sched_getaffinity(0)) if affine else os.cpu_count() or 1
    try:
        share, period = map(int, QUOTA.read_text().split())
    except (OSError, ValueError):  # No container, or no quota: "max".
        return cores
    return max(1, min(cores, share // period))
