"""What arrived in Redis, opened as the worker opens it."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.store.connection import Store, text
from monitor.worker.angles import weights_block
from monitor.worker.sample_frames import SamplesFrame, samples_frame
from monitor.worker.weight_frames import WeightsFrame, weights_frame
from trainer_hooks import keys
from trainer_hooks.wire import Frame, decode

#: Longest wait for something to arrive, seconds; a healthy sender takes a fraction of one.
WAIT_S = 20.0


class Mail:
    """Reads the frames of runs.

    Args:
        store: where they lie.
        redis_url: of the durable Redis, for the hooks.
    """

    def __init__(self, store: Store, redis_url: str) -> None:
        self.store = store
        self.redis_url = redis_url

    def frames(self, run: str, lane: keys.Lane) -> list[Frame]:
        """All frames of a run in the order of sending."""
        found = []
        entries: Any = self.store.data.xrange(keys.jobs(keys.shard_of(run), lane))
        for _, job in entries:
            fields = {text(name): text(value) for name, value in job.items()}
            if fields["run"] == run:
                data = self.store.blobs.get(keys.blob(run, fields["blob"]))
                assert isinstance(data, bytes)
                assert len(data) == int(fields["bytes"])
                found.append(decode(data))
        return found

    def weights(self, run: str) -> list[WeightsFrame]:
        """Checked content of the weights frames."""
        return [weights_frame(frame) for frame in self.frames(run, "fast")]

    def samples(self, run: str) -> list[SamplesFrame]:
        """Checked content of the samples frames."""
        return [samples_frame(frame) for frame in self.frames(run, "samples")]

    def batches(self, run: str) -> dict[int, NDArray[Any]]:
        """Samples of each batch by its step, chunks joined; asserts that parts are in order."""
        parts: dict[int, list[SamplesFrame]] = {}
        for frame in self.samples(run):
            parts.setdefault(int(frame.rows.step[0]), []).append(frame)
        for chunks in parts.values():
            assert [chunk.part for chunk in chunks] == list(range(len(chunks)))
            assert [chunk.last for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
        return {
            step: _joined([chunk.samples for chunk in chunks if len(chunk.samples)])
            for step, chunks in parts.items()
        }

    def scalars(self, run: str) -> dict[str, list[tuple[int, float]]]:
        """(step, value) of each scalar."""
        found: dict[str, list[tuple[int, float]]] = {}
        for frame in self.weights(run):
            for name, values in frame.scalars.items():
                steps = [(int(frame.rows.step[row]), value) for row, value in values]
                found.setdefault(name, []).extend(steps)
        return found

    def failures(self, run: str) -> dict[str, list[tuple[int, str]]]:
        """(step, reason) of each metric that could not be taken."""
        found: dict[str, list[tuple[int, str]]] = {}
        for frame in self.weights(run):
            for metric, row, reason in frame.failures:
                found.setdefault(metric, []).append((int(frame.rows.step[row]), reason))
        return found

    def pairs(self, run: str, network: str) -> list[tuple[int, int, int]]:
        """(step of the later snapshot, kind, lag) of each pair of a network."""
        return [
            (int(frame.rows.step[row]), kind, lag)
            for frame in self.weights(run)
            for block in frame.networks
            if block.name == network
            for _, _, row, kind, lag in block.pairs.tolist()
        ]

    def angles(self, run: str, network: str) -> dict[int, float]:
        """S of a network by step, radians, as the worker computes it; asserts that all are ok."""
        found: dict[int, float] = {}
        for frame in self.weights(run):
            cells = weights_block(run, "", frame).cells.get(f"S.{network}", [])
            for cell in cells:
                assert cell.value is not None, cell.reason
                found[int(frame.rows.step[cell.row])] = cell.value
        return found

    def meta(self, run: str) -> dict[str, str]:
        """What the trainer said of a run."""
        said: Any = self.store.data.hgetall(keys.meta(run))
        return {text(name): text(value) for name, value in said.items()}


def _joined(arrays: list[NDArray[Any]]) -> NDArray[Any]:
    return np.concatenate(arrays) if arrays else np.zeros(0, np.uint8)


def eventually(happened: Callable[[], Any]) -> Any:
    """The first true answer of `happened`."""
    give_up_s = time.monotonic() + WAIT_S
    while True:
        answer = happened()
        if answer:
            return answer
        assert time.monotonic() < give_up_s, "it did not happen"
        time.sleep(0.02)
