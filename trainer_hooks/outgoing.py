"""Frames on their way to Redis, one line a lane: packed when there is room, sent in order."""

import time
from collections import deque
from dataclasses import dataclass

from trainer_hooks.packer import WeightsPacker
from trainer_hooks.push_queue import PushQueue
from trainer_hooks.samples_packer import SamplesPacker
from trainer_hooks.wire import Frame, Kind

#: What waits is packed this often, seconds: live enough for eyes, few enough frames for Redis.
PACK_INTERVAL_S = 0.25
#: Rows and bytes of one weights frame; bytes also as a share of the budget.
FRAME_ROWS, FRAME_BYTES, FRAME_SHARE = 512, 16 * 2**20, 1 / 16
#: A frame is there as arrays and, while it is sent, as bytes.
FRAME_COPIES = 2


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A packed frame that must arrive.

    Attributes:
        frame: without run and segment.
        first_row, last_row: of its rows.
        last_step: step of the last.
    """

    frame: Frame
    first_row: int
    last_row: int
    last_step: int

    @property
    def nbytes(self) -> int:
        """Bytes of its arrays."""
        return sum(tensor.nbytes for tensor in self.frame.tensors.values())

    @property
    def amount(self) -> int:
        """What is lost with it: pushes of weights, or samples."""
        if self.frame.kind == "samples":
            return len(self.frame.tensors["samples"])
        return self.last_row - self.first_row + 1


class Line:
    """Frames of one lane in the order they are sent.

    Args:
        kind: of its frames.
        queue: where pushes wait.
    """

    def __init__(self, kind: Kind, queue: PushQueue) -> None:
        self.kind = kind
        self.frames: deque[Outgoing] = deque()
        self._queue = queue

    @property
    def kept_bytes(self) -> int:
        """Bytes held beside the frames."""
        return 0

    def sent(self) -> None:
        """The first frame arrived."""
        self.frames.popleft()
        self._hold()

    def drop(self, reason: str) -> None:
        """The first frame is given up."""
        self._queue.count_dropped(f"{reason}.{self.kind}", self.frames.popleft().amount)
        self._hold()

    def _expect(self, nbytes: int) -> None:
        """Make room for frames of what was taken, before they are there."""
        self._queue.hold(self.kind, (1 + FRAME_COPIES) * nbytes)

    def _hold(self) -> None:
        nbytes = FRAME_COPIES * sum(outgoing.nbytes for outgoing in self.frames)
        self._queue.hold(self.kind, nbytes + self.kept_bytes)


class WeightsLine(Line):
    """Weights and scalars, many pushes a frame."""

    def __init__(self, queue: PushQueue) -> None:
        super().__init__("weights", queue)
        self.packer = WeightsPacker()
        self._frame_bytes = min(FRAME_BYTES, int(queue.budget_bytes * FRAME_SHARE))
        self._next_pack_s = 0.0

    @property
    def kept_bytes(self) -> int:
        """Bytes of the snapshots that wait for the next frame."""
        return self.packer.nbytes

    @property
    def first_row(self) -> int:
        """The oldest row that is still to be sent."""
        return self.frames[0].first_row if self.frames else self.packer.rows

    @property
    def wait_s(self) -> float:
        """Time until the next frame may be packed, seconds."""
        return max(0.0, self._next_pack_s - time.monotonic())

    def pack(self, *, now: bool = False) -> None:
        """Pack what waits, if nothing packed waits before it; `now`: however little it is."""
        if self.frames or (self.wait_s and not now):
            return
        pushes, more = self._queue.take_weights(FRAME_ROWS, self._frame_bytes)
        if not more:
            self._next_pack_s = time.monotonic() + PACK_INTERVAL_S
        self._expect(sum(push.nbytes for push in pushes) + self.kept_bytes)
        try:
            while pushes:
                count = self.packer.fitting(pushes)
                self._add(self.packer.pack(pushes[:count]), count)
                pushes = pushes[count:]
        except Exception:
            self._queue.count_dropped("defect.weights", len(pushes))
            raise
        self._hold()

    def close(self) -> None:
        """Pack what only the end of the run completes."""
        frame = self.packer.close()
        if frame is not None:
            self._add(frame, 1)

    def _add(self, frame: Frame, rows: int) -> None:
        last_row = self.packer.rows - 1
        place = frame.tensors["row.seq"].tolist().index(last_row)
        last_step = int(frame.tensors["row.step"][place])
        self.frames.append(Outgoing(frame, last_row + 1 - rows, last_row, last_step))


class SamplesLine(Line):
    """Chunks of sample batches, one a frame.

    Attributes:
        packing: whether a chunk is between the queue and `frames`.
        batches: number of the newest batch of which something arrived, plus one.
    """

    def __init__(self, queue: PushQueue) -> None:
        super().__init__("samples", queue)
        self.packing = False
        self.batches = 0
        self._packer = SamplesPacker()

    def pack(self) -> None:
        """Pack the oldest chunk, if nothing packed waits before it."""
        if self.frames:
            return
        self.packing = True
        try:
            push = self._queue.take_samples()
            self._expect(push.nbytes if push else 0)
            for frame in self._packer.pack(push) if push else ():
                batch, step = frame.header["seq"], frame.header["step"]
                self.frames.append(Outgoing(frame, batch, batch, step))
        finally:
            self.packing = False
        self._hold()

    def sent(self) -> None:
        """The first frame arrived."""
        self.batches = max(self.batches, self.frames[0].last_row + 1)
        super().sent()
