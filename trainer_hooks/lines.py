"""From what waits to frames, one line a lane: packed when the last one has gone."""

import logging
import time

import numpy as np

from trainer_hooks.outbox import FRAME_COPIES, Outbox
from trainer_hooks.outgoing import samples_outgoing, weights_outgoing
from trainer_hooks.packer import WeightsPacker
from trainer_hooks.push_queue import PushQueue
from trainer_hooks.samples_packer import SamplesPacker
from trainer_hooks.sayings import Sayings
from trainer_hooks.wire import Frame

#: What waits is packed this often, seconds: live enough for eyes, few enough frames for Redis.
PACK_INTERVAL_S = 0.25
#: Rows and bytes of one weights frame; bytes also as a share of the budget.
FRAME_ROWS, FRAME_BYTES, FRAME_SHARE = 512, 16 * 2**20, 1 / 16
#: Pictures of which one has a dark pixel, whatever they show; the middle of their levels.
MANY_PICTURES, MIDDLE = 16, 128

log = logging.getLogger("trainer_hooks")


class WeightsLine:
    """Weights and scalars, many pushes a frame.

    Args:
        queue: where pushes wait.
        outbox: where frames go.

    Attributes:
        packer: makes the frames.
        rows: that went to the outbox; the packer may be a frame ahead.
    """

    def __init__(self, queue: PushQueue, outbox: Outbox) -> None:
        self.packer = WeightsPacker()
        self.rows = 0
        self._queue = queue
        self._outbox = outbox
        self._frame_bytes = min(FRAME_BYTES, int(queue.budget_bytes * FRAME_SHARE))
        self._next_pack_s = 0.0

    @property
    def wait_s(self) -> float:
        """Time until the next frame may be packed, seconds."""
        return max(0.0, self._next_pack_s - time.monotonic())

    def pack(self, *, now: bool = False) -> None:
        """Pack what waits, if nothing packed waits before it; `now`: however little it is."""
        if self._outbox.waits("weights") or (self.wait_s and not now):
            return
        pushes, more = self._queue.take_weights(FRAME_ROWS, self._frame_bytes)
        if not more:
            self._next_pack_s = time.monotonic() + PACK_INTERVAL_S
        if not pushes:
            return
        # Room is made before the frames are there.
        taken = sum(push.nbytes for push in pushes)
        self._queue.hold("weights", (1 + FRAME_COPIES) * taken + self.packer.nbytes)
        try:
            while pushes:
                count = self.packer.fitting(pushes)
                frame = self.packer.pack(pushes[:count])
                pushes = pushes[count:]
                self._add(frame, count)
        except Exception:
            self._queue.count_dropped("defect.weights", len(pushes))
            raise
        finally:
            self._queue.hold("weights", self.packer.nbytes)

    def close(self) -> None:
        """Pack what only the end of the run completes."""
        frame = self.packer.close()
        if frame is not None:
            self._add(frame, 1)

    def _add(self, frame: Frame, rows: int) -> None:
        self._outbox.add(weights_outgoing(frame, rows))
        self.rows = self.packer.rows


class SamplesLine:
    """Chunks of sample batches, one a frame.

    Args:
        queue: where chunks wait.
        outbox: where frames go.

    Attributes:
        packing: whether a chunk is between the two.
    """

    def __init__(self, queue: PushQueue, outbox: Outbox) -> None:
        self.packing = False
        self._packer = SamplesPacker()
        self._queue = queue
        self._outbox = outbox
        self._sayings = Sayings()
        self._pictures, self._darkest = 0, MIDDLE

    def pack(self) -> None:
        """Pack the oldest chunk, if nothing packed waits before it."""
        if self._outbox.waits("samples"):
            return
        self.packing = True
        try:
            cut, push = self._queue.cut, self._queue.take_samples()
            if push is not None:
                self._queue.hold("samples", (1 + FRAME_COPIES) * push.nbytes)
            for frame in self._packer.pack(push) if push else self._packer.end(cut):
                self._look_at(frame)
                self._outbox.add(samples_outgoing(frame))
        finally:
            self.packing = False
            self._queue.hold("samples", 0)

    def _look_at(self, frame: Frame) -> None:
        """Say so, once, if a whole batch has no dark pixel: 0 … 1 is a usual range of images, and
        is the bright half of the default one."""
        samples = frame.tensors["samples"]
        if samples.dtype == np.uint8 and samples.size:
            self._pictures += len(samples)
            self._darkest = min(self._darkest, int(samples.min()))
        if not frame.header["last"]:
            return
        bright = self._pictures >= MANY_PICTURES and self._darkest >= MIDDLE - 1
        self._pictures, self._darkest = 0, MIDDLE
        if bright and self._sayings.first("bright"):
            log.warning(
                "sqd: no pixel of a sample batch lies in the dark half of value_range: if your "
                "images are in 0 … 1, call push_samples(…, value_range=(0, 1)) (said once)"
            )
