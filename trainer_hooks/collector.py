"""Pieces of samples to batches of the wanted size, in chunks that stay within the byte budget."""

import sys
from typing import Any

import numpy as np

from trainer_hooks.batches import Chunk
from trainer_hooks.errors import SamplesError
from trainer_hooks.pushes import Moment, PushQueue, SamplesPush

#: Samples of one chunk: large enough to be evaluated efficiently, small enough to share work.
CHUNK_SAMPLES = 256
#: Bytes of one chunk, so that large images never make a frame beyond the limit.
CHUNK_BYTES = 16 * 2**20


class BatchCollector:
    """Collects one batch at a time and queues its chunks.

    Args:
        queue: where chunks wait for the sender.
        samples: size of a full batch.
    """

    def __init__(self, queue: PushQueue, samples: int) -> None:
        self._queue = queue
        self._samples = samples
        self._moment: Moment | None = None
        self._missing = 0
        self._pieces: list[Chunk] = []
        self.batches = 0

    @property
    def open(self) -> bool:
        """Whether a batch is being collected."""
        return self._moment is not None

    def begin(self, moment: Moment) -> None:
        """Start a batch; one that is still incomplete goes out with its smaller n."""
        self.end()
        self._moment = moment
        self._missing = self._samples

    def add(self, piece: Chunk, *, wait: bool = True) -> bool:
        """Add samples; False when no more are wanted.

        Args:
            piece: samples, more than are missing are cut.
            wait: pieces come over many calls; else all of them now, and when the budget is used up
                the batch ends smaller instead of pushing out its own first part.
        Raises:
            SamplesError: the piece's samples differ in shape or dtype from those before it.
        """
        self._check_like(piece)
        if not wait and not self._queue.fits(piece.nbytes):
            self._queue.count_dropped("budget.samples", self._missing)
            self.end()
            return False
        self._pieces.append(_head(piece, self._missing))
        self._missing -= self._pieces[-1].samples
        if self._missing == 0:
            self.end()
            return False
        if self._collected_enough():
            self._queue_chunk(last=False)
        return True

    def end(self, failure: str = "") -> None:
        """Close the batch that is being collected, if one is."""
        if self._moment is not None:
            self._queue_chunk(last=True, failure=failure)
            self._moment = None
            self.batches += 1

    def _collected_enough(self) -> bool:
        samples = sum(piece.samples for piece in self._pieces)
        size = sum(piece.nbytes for piece in self._pieces)
        return samples >= CHUNK_SAMPLES or size >= CHUNK_BYTES

    def _queue_chunk(self, *, last: bool, failure: str = "") -> None:
        assert self._moment is not None
        chunk = _joined(self._pieces) if self._pieces else None
        self._pieces = []
        self._queue.put(SamplesPush(self._moment, self.batches, chunk, last, failure))

    def _check_like(self, piece: Chunk) -> None:
        if self._pieces:
            first = self._pieces[0].values
            if first.shape[1:] != piece.values.shape[1:] or first.dtype != piece.values.dtype:
                raise SamplesError(
                    f"samples of one batch differ: {tuple(first.shape[1:])} {first.dtype} and "
                    f"{tuple(piece.values.shape[1:])} {piece.values.dtype}"
                )


def _head(piece: Chunk, samples: int) -> Chunk:
    if piece.samples <= samples:
        return piece
    return Chunk(piece.values[:samples], piece.nonfinite, piece.clipped)


def _joined(pieces: list[Chunk]) -> Chunk:
    if len(pieces) == 1:
        return pieces[0]
    values: list[Any] = [piece.values for piece in pieces]
    if isinstance(values[0], np.ndarray):
        joined: Any = np.concatenate(values)
    else:
        joined = sys.modules["torch"].cat(values)
    nonfinite = sum(piece.nonfinite for piece in pieces)
    return Chunk(joined, nonfinite, sum(piece.clipped for piece in pieces))
