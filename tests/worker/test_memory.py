"""Freed memory goes back."""

import ctypes
import subprocess
import sys
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


#: Allocates, touches and frees a piece as large as a layer's activations, twice; prints how many
#: pages the second time had to fetch, and what stayed resident before and after `give_back`.
TWICE = """
import ctypes, resource
from pathlib import Path
from monitor.worker.memory import give_back, keep_freed

library = ctypes.CDLL(None)
library.malloc.restype = ctypes.c_void_p
library.free.argtypes = [ctypes.c_void_p]

def touch():
    piece = library.malloc(32 * 2**20)
    ctypes.memset(ctypes.c_void_p(piece), 1, 32 * 2**20)
    library.free(piece)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1])

keep_freed()
print(-touch() + touch(), end=" ")
kept = resident()
give_back()
print(kept - resident())
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="only Linux tells")
def test_what_is_freed_within_a_chunk_is_used_again() -> None:
    done = subprocess.run([sys.executable, "-c", TWICE], capture_output=True, text=True, check=True)
    fetched, returned = map(int, done.stdout.split())
    assert fetched < 100, "pages were fetched again that had just been there"
    assert returned * PAGE_BYTES > 30 * 2**20, "the kept memory never goes back"
