"""How many samples a callable is asked for at once: what the byte budget has room for."""

from trainer_hooks.batches import Batch
from trainer_hooks.push_queue import PushQueue

#: Most: what a training step makes too, so the device has room for it.
MOST = 64
#: Fewest: BatchNorm refuses a batch of one.
FEWEST = 2
#: Share of the byte budget that a piece may take as the callable returns it. The same samples, made
#: small, and all that waits to be sent have the rest.
PIECE_SHARE = 1 / 4


class Pieces:
    """Sizes of the pieces of one run's batches. How large a sample is, the last piece told.

    Args:
        queue: has the byte budget, and knows what is used of it.
    """

    def __init__(self, queue: PushQueue) -> None:
        self._queue = queue
        self._sample_bytes = 0.0

    def size(self, missing: int) -> int:
        """Samples to ask for when `missing` are: nearly equal pieces, and none of one sample."""
        most = self._most()
        count = -(-missing // most)
        size = -(-missing // count)
        return missing if missing - size == 1 else size

    def learn(self, piece: Batch) -> None:
        """Remember what a sample takes."""
        self._sample_bytes = piece.returned_bytes / len(piece)

    def _most(self) -> int:
        if not self._sample_bytes:
            return FEWEST
        room = min(self._queue.budget_bytes * PIECE_SHARE, self._queue.free_bytes)
        return min(MOST, max(FEWEST, int(room / self._sample_bytes)))
