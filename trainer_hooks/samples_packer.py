"""Chunks of sample batches to frames."""

import numpy as np

from trainer_hooks.pushes import SamplesPush
from trainer_hooks.wire import Frame


class SamplesPacker:
    """Packs sample pushes of one segment; numbers the parts of a batch in the order of sending."""

    def __init__(self) -> None:
        self._open: SamplesPush | None = None
        self._parts = 0

    def end(self, cut: int) -> list[Frame]:
        """The end of the open batch if that is number `cut` or older: its own was dropped."""
        if self._open is None or self._open.batch > cut:
            return []
        frame = self._frame(self._open, None, last=True)
        self._open, self._parts = None, 0
        return [frame]

    def pack(self, push: SamplesPush) -> list[Frame]:
        """Frames for `push`; first the end of a batch whose own end was dropped."""
        frames = self.end(push.batch - 1)
        frames.append(self._frame(push, push, last=push.last))
        self._open = None if push.last else push
        self._parts = 0 if push.last else self._parts + 1
        return frames

    def _frame(self, batch: SamplesPush, push: SamplesPush | None, *, last: bool) -> Frame:
        chunk = push.chunk if push else None
        values = chunk.array() if chunk else np.zeros((0, 1, 1, 1), np.uint8)
        nonfinite, clipped = chunk.bad_values() if chunk else (0, 0)
        header = {
            "seq": batch.batch,
            "step": batch.moment.step,
            "epoch": batch.moment.epoch,
            "time": batch.moment.time,
            "part": self._parts,
            "last": last,
            "nonfinite": nonfinite,
            "clipped": clipped,
            "failure": push.failure if push else "",
        }
        return Frame("samples", header, {"samples": values})
