"""Chunks to frames: parts are numbered as they are sent, and every begun batch ends."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from monitor.worker.sample_frames import SamplesFrame, samples_frame
from trainer_hooks.batches import Batch
from trainer_hooks.pushes import Moment, SamplesPush
from trainer_hooks.samples_packer import SamplesPacker


def chunk(batch: int, samples: int = 2, *, last: bool = False, failure: str = "") -> SamplesPush:
    images = Batch(np.full((max(samples, 1), 1, 2, 2), batch, np.uint8), (-1, 1))
    values = images.slice(0, samples) if samples else None
    return SamplesPush(Moment(100 * batch, 0.5, 7.0), batch, values, last, failure)


def sent(*pushes: SamplesPush) -> list[SamplesFrame]:
    packer = SamplesPacker()
    return [samples_frame(frame) for push in pushes for frame in packer.pack(push)]


def told(frames: list[SamplesFrame]) -> list[tuple[int, int, int, bool]]:
    """(batch, part, samples, last)."""
    return [(int(f.rows.seq[0]), f.part, len(f.samples), f.last) for f in frames]


def test_parts_of_a_batch() -> None:
    frames = sent(chunk(0), chunk(0, 3), chunk(0, 1, last=True), chunk(1, last=True))
    assert told(frames) == [(0, 0, 2, False), (0, 1, 3, False), (0, 2, 1, True), (1, 0, 2, True)]
    assert (int(frames[3].rows.step[0]), float(frames[3].rows.epoch[0])) == (100, 0.5)


def test_batch_whose_end_was_dropped_is_ended_for_it() -> None:
    frames = sent(chunk(0), chunk(0), chunk(3, last=True))
    assert told(frames) == [(0, 0, 2, False), (0, 1, 2, False), (0, 2, 0, True), (3, 0, 2, True)]


def test_batch_whose_beginning_was_dropped_starts_with_what_is_left() -> None:
    assert told(sent(chunk(4, 1, last=True))) == [(4, 0, 1, True)]


def test_failure_without_samples() -> None:
    (frame,) = sent(chunk(0, 0, last=True, failure="it raised"))
    assert (frame.failure, frame.last, frame.samples.shape) == ("it raised", True, (0, 1, 1, 1))


def test_bad_values_are_told() -> None:
    images = Batch(np.array([np.nan, 5.0, 0.0, 0.0]).reshape(1, 1, 2, 2), (-1, 1))
    push = SamplesPush(Moment(1, None, 7.0), 0, images.slice(0, 1), last=True)
    (frame,) = sent(push)
    assert (frame.nonfinite, frame.clipped) == (1, 1)


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(0, 4)), max_size=8))
def test_whatever_is_dropped_each_batch_is_whole_and_ends_once(
    batches: list[tuple[int, int]],
) -> None:
    # Of each batch, `lost` parts from its beginning or its end never reach the packer.
    pushes = []
    for number, (parts, lost) in enumerate(batches):
        whole = [chunk(number, last=part == parts - 1) for part in range(parts)]
        pushes += whole[lost:] if number % 2 else whole[: max(parts - lost, 0)]
    pushes.append(chunk(99, last=True))
    frames = sent(*pushes)
    for number in {int(frame.rows.seq[0]) for frame in frames}:
        mine = [frame for frame in frames if frame.rows.seq[0] == number]
        assert [frame.part for frame in mine] == list(range(len(mine)))
        assert [frame.last for frame in mine] == [False] * (len(mine) - 1) + [True]
