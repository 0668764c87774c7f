"""Pieces of samples to batches of the wanted size, in chunks that stay within the byte budget."""

from trainer_hooks.batches import Batch, Chunk
from trainer_hooks.errors import SamplesError
from trainer_hooks.push_queue import PushQueue
from trainer_hooks.pushes import Moment, SamplesPush

#: Samples of one chunk: large enough to be evaluated efficiently, small enough to share work.
CHUNK_SAMPLES = 256
#: Most bytes of one chunk, so that large images never make a frame beyond the limit.
CHUNK_BYTES = 16 * 2**20
#: Samples and bytes made small at once: on the way there are several float copies of them.
SLICE_SAMPLES, SLICE_BYTES = 64, 2**20
#: Share of the byte budget of one chunk: it is joined, framed and sent, each time copied.
CHUNK_SHARE = 1 / 8


class BatchCollector:
    """Collects one batch at a time and queues its chunks.

    Args:
        queue: where chunks wait for the sender.
        samples: size of a full batch.
    """

    def __init__(self, queue: PushQueue, samples: int) -> None:
        self._queue = queue
        self._samples = samples
        self._chunk_bytes = min(CHUNK_BYTES, int(queue.budget_bytes * CHUNK_SHARE))
        self._moment: Moment | None = None
        self._missing = 0
        self._chunk: Chunk | None = None
        self._like = ""
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
        self._like = ""

    def add(self, batch: Batch) -> int:
        """Add the samples that are still wanted.

        Returns:
            How many are wanted then; 0 when the batch is complete or cut short.

        Raises:
            SamplesError: they differ in shape or dtype from those before, or one is too large.
        """
        wanted = min(len(batch), self._missing)
        step = self._step(batch)
        for first in range(0, wanted, step):
            self._add(batch.slice(first, min(first + step, wanted)))
            if not self.open:
                return 0
        return self._missing

    def end(self, failure: str = "") -> None:
        """Close the batch that is being collected, if one is."""
        if self._moment is not None:
            self._queue_chunk(last=True, failure=failure)
            self._moment = None
            self.batches += 1

    def _add(self, piece: Chunk) -> None:
        if self._chunk is not None and self._chunk.nbytes + piece.nbytes > self._chunk_bytes:
            self._queue_chunk(last=False)
        if not self._queue.make_room(piece.nbytes, self.batches):
            # Its own first part would have to go: a smaller batch is worth more than half of one.
            self._queue.count_dropped("budget.samples", self._missing)
            self.end()
            return
        self._chunk = piece if self._chunk is None else self._chunk + piece
        self._queue.hold("collector", self._chunk.nbytes)
        self._missing -= piece.samples
        if self._missing == 0:
            self.end()
        elif self._chunk.samples >= CHUNK_SAMPLES:
            self._queue_chunk(last=False)

    def _queue_chunk(self, *, last: bool, failure: str = "") -> None:
        assert self._moment is not None
        chunk, self._chunk = self._chunk, None
        self._queue.hold("collector", 0)
        self._queue.put(SamplesPush(self._moment, self.batches, chunk, last, failure))

    def _step(self, batch: Batch) -> int:
        """Samples to take at once."""
        self._like = self._like or batch.like
        if self._like != batch.like:
            raise SamplesError(
                f"samples of one batch differ: {self._like} before, {batch.like} now"
            )
        if batch.sample_bytes > self._chunk_bytes:
            raise SamplesError(
                f"one sample takes {batch.sample_bytes} bytes; a budget_bytes of "
                f"{self._queue.budget_bytes} leaves {self._chunk_bytes} for a chunk"
            )
        return min(SLICE_SAMPLES, max(1, SLICE_BYTES // batch.sample_bytes))
