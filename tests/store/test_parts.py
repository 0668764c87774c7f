"""Chunks of a batch: in any order, some twice; one of them completes it."""

import itertools
from typing import Any

import pytest

from monitor.store.blocks import Cell
from monitor.store.connection import Store
from monitor.store.jobs import Job, JobQueue
from monitor.store.series import read_series
from tests.store.posting import Trainer, block_of, claimed, samples_frame
from trainer_hooks import keys

CHUNKS = 3


@pytest.fixture
def jobs(store: Store, queue: JobQueue, any_image: Any) -> list[Job]:
    """Claimed jobs of the chunks of one batch, in their order."""
    trainer = Trainer(store)
    for part in range(CHUNKS):
        trainer.post(samples_frame(any_image, seq=4, part=part, last=part == CHUNKS - 1))
    return [claimed(queue, "samples") for _ in range(CHUNKS)]


def keep(queue: JobQueue, jobs: list[Job], part: int) -> list[bytes] | None:
    return queue.keep_part(jobs[part], part, b"part %d" % part, last=part == CHUNKS - 1)


@pytest.mark.parametrize("order", list(itertools.permutations(range(CHUNKS))), ids=str)
def test_last_missing_part_completes_the_batch(
    store: Store, queue: JobQueue, jobs: list[Job], order: tuple[int, ...]
) -> None:
    assert [keep(queue, jobs, part) for part in order[:-1]] == [None] * (CHUNKS - 1)
    assert keep(queue, jobs, order[-1]) == [b"part 0", b"part 1", b"part 2"]
    last = jobs[order[-1]]
    block = block_of(last, [4], [400])
    block.add("Q", Cell(0, 0.5))
    assert queue.finish(last, block)
    assert read_series(store, "demo", ["Q"], None, None)["Q"].step.tolist() == [400]
    assert not store.data.exists(keys.parts("demo", last.segment, 4))
    assert int(store.blobs.get(keys.outstanding_bytes("demo")) or 0) == 0


def test_part_that_is_kept_frees_its_frame(store: Store, queue: JobQueue, jobs: list[Job]) -> None:
    keep(queue, jobs, 1)
    assert queue.frame(jobs[1]) is None
    assert queue.frame(jobs[0]) is not None
    assert queue.stored(jobs[1])
    assert not queue.stored(jobs[0])


def test_part_is_kept_once_however_often_it_comes(
    store: Store, queue: JobQueue, any_image: Any
) -> None:
    trainer = Trainer(store)
    chunks = [samples_frame(any_image, part=part, last=part == 1) for part in range(2)]
    for chunk in (chunks[0], chunks[0], chunks[1]):
        trainer.post(chunk)
    first, again, second = (claimed(queue, "samples") for _ in range(3))
    assert queue.keep_part(first, 0, b"0", last=False) is None
    assert queue.keep_part(again, 0, b"0", last=False) is None
    assert queue.keep_part(second, 1, b"1", last=True) == [b"0", b"1"]


def test_worker_that_dies_after_the_last_part_loses_nothing(
    store: Store, queue: JobQueue, jobs: list[Job]
) -> None:
    for part in range(CHUNKS):
        parts = keep(queue, jobs, part)
    assert parts is not None
    heir = JobQueue(store, "heir", claim_timeout_ms=0)
    taken = claimed(heir, "samples")
    assert keep(heir, [taken] * CHUNKS, CHUNKS - 1) == parts


def test_parts_refuse_without_the_claim(store: Store, jobs: list[Job]) -> None:
    other = JobQueue(store, "two")
    assert [keep(other, jobs, part) for part in range(CHUNKS)] == [None] * CHUNKS
    assert not store.data.exists(keys.parts("demo", jobs[0].segment, 4))
    assert other.frame(jobs[0]) is not None


def test_batch_whose_rest_never_comes_is_forgotten(
    store: Store, queue: JobQueue, jobs: list[Job]
) -> None:
    keep(queue, jobs, 0)
    seconds = store.data.ttl(keys.parts("demo", jobs[0].segment, 4))
    assert 0 < seconds <= 24 * 3600
