"""What the allocator does with freed memory: kept during a chunk, handed back after it.

A worker lives for weeks beside a training, and each chunk has shapes of its own, so that freed
pieces seldom fit again: 0.81 GB resident over 60 chunks if they go back to the system after each,
1.1 GB and growing if not, at the same speed. Within a chunk, though, the C library would give the
large pieces back at once and fetch them again page by page, for a quarter of the time of Q.
"""

import ctypes
from typing import Any

#: `mallopt`'s parameters (glibc's malloc.h): the size from which pieces are mapped one by one, and
#: the free memory at the top of the heap from which it shrinks.
M_MMAP_THRESHOLD, M_TRIM_THRESHOLD = -3, -1
#: Bytes: more than any piece of a chunk, and than all its pieces.
NEVER_MAPPED, NEVER_TRIMMED = 2**30, 2**30

_library = ctypes.CDLL(None)
_trim: Any = getattr(_library, "malloc_trim", None)
_set: Any = getattr(_library, "mallopt", None)


def keep_freed() -> None:
    """Keep what is freed until `give_back`, where the C library can (glibc)."""
    if _set is not None:
        _set(M_MMAP_THRESHOLD, NEVER_MAPPED)
        _set(M_TRIM_THRESHOLD, NEVER_TRIMMED)


def give_back() -> None:
    """Hand free memory back, where the C library can (glibc)."""
    if _trim is not None:
        _trim(0)
