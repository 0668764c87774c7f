"""Freed memory goes back."""

import ctypes
from pathlib import Path

import pytest

from monitor.worker.memory import give_back

PAGE_BYTES = 4096
#: Below the allocator's threshold for mappings of their own, which go back at once anyway.
PIECE_BYTES = 64 * 1024


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_BYTES


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="only Linux tells")
def test_what_lies_between_living_pieces_goes_back() -> None:
    library = ctypes.CDLL(None)
    library.malloc.restype = ctypes.c_void_p
    library.free.argtypes = [ctypes.c_void_p]
    pieces = [library.malloc(PIECE_BYTES) for _ in range(2000)]
    for piece in pieces:
        ctypes.memset(piece, 1, PIECE_BYTES)
    for piece in pieces[:-1]:
        library.free(piece)
    before = resident_bytes()
    give_back()
    library.free(pieces[-1])
    assert resident_bytes() < before - 50 * 2**20
