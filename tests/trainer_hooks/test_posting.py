"""How far the worker is behind with sample batches."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from trainer_hooks import posting as posting_module
from trainer_hooks.answers import Answer
from trainer_hooks.batches import Batch
from trainer_hooks.lines import SamplesLine
from trainer_hooks.link import BLOB_TTL_S
from trainer_hooks.outbox import Outbox
from trainer_hooks.posting import Posting
from trainer_hooks.push_queue import PushQueue
from trainer_hooks.pushes import Moment, SamplesPush


def test_batch_that_never_completes_is_not_waited_for_without_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Redis, or the disk, lost a part of it: sampling by itself must not stop for good."""
    clock = SimpleNamespace(now_s=1000.0)
    monkeypatch.setattr(posting_module, "time", SimpleNamespace(monotonic=lambda: clock.now_s))
    queue = PushQueue(2**20)
    outbox = Outbox(queue, None)
    line = SamplesLine(queue, outbox)
    link: Any = SimpleNamespace(post=lambda *_: Answer(0))
    posting = Posting(link, outbox, lambda *_: None)

    def send(batch: int) -> None:
        chunk = Batch(np.zeros((1, 1, 2, 2), np.uint8), (-1, 1)).slice(0, 1)
        queue.put(SamplesPush(Moment(batch, None, 1.0), batch, chunk, last=True))
        line.pack()
        assert posting.advance("samples")

    send(0)
    behind = []
    for passed_s in (0, BLOB_TTL_S - 1, 2):
        clock.now_s += passed_s
        behind.append(posting.samples_behind)
    send(1)
    behind.append(posting.samples_behind)
    posting.heard(2)
    behind.append(posting.samples_behind)
    assert behind == [True, True, False, True, False]
