"""Blocks of S: their length follows the rhythm, their quantile keeps short jumps."""

import pytest

from monitor.turning.block import MAX_LENGTH, VALUES_KNOWN, Block, Observation


def feed(
    block: Block, steps: range, batch_steps: float = 0.0, epoch_steps: float = 0.0
) -> list[Observation]:
    """Values equal to their steps; observations of the blocks that filled."""
    found = []
    for step in steps:
        if block.add(step, float(step)):
            epoch = step / epoch_steps if epoch_steps else None
            found.append(block.close(step, epoch, batch_steps))
    return found


def test_blocks_grow_to_their_full_length_when_nothing_tells_the_rhythm() -> None:
    young, old = Block(), Block()
    feed(young, range(1, VALUES_KNOWN))
    feed(old, range(1, 4000))
    assert (young.paced, young.length) == (False, 4)
    assert (old.paced, old.length) == (True, MAX_LENGTH)


@pytest.mark.parametrize(
    ("every", "batch_steps", "length"), [(1, 200, 25), (1, 80, 10), (1, 1, 1), (10, 200, 2)]
)
def test_sample_batches_set_the_length_at_once(every: int, batch_steps: int, length: int) -> None:
    block = Block()
    feed(block, range(0, 3 * every, every), batch_steps)
    assert (block.paced, block.length) == (True, length)


@pytest.mark.parametrize(("epoch_steps", "paced"), [(1.0, True), (100.0, False)])
def test_one_value_an_epoch_is_a_rhythm_of_its_own(epoch_steps: float, paced: bool) -> None:
    block = Block()
    feed(block, range(1, 20), epoch_steps=epoch_steps)
    assert (block.paced, block.length) == (paced, 1)


def test_a_short_jump_stands_out_of_the_quantile() -> None:
    block = Block(length=25, paced=True, last_step=-1)
    values = [0.0] * 21 + [4.0, 5.0, 4.5, 4.2]
    full = [block.add(step, value) for step, value in enumerate(values)]
    assert full.index(True) == 24
    seen = block.close(24, None, 200.0)
    assert (seen.first_step, seen.step, seen.value, seen.worst) == (0, 24, 4.2, 5.0)


def test_a_new_length_makes_observations_unlike_the_older_ones() -> None:
    block = Block()
    before = feed(block, range(0, 10), 8.0)
    after = feed(block, range(10, 400), 200.0)
    assert all(seen.alike for seen in before[2:])
    assert [seen.alike for seen in after].count(False) == 1


def test_going_back_drops_the_unfinished_block() -> None:
    block = Block(length=3, paced=True, last_step=0, seen=90)
    block.add(1, 1.0)
    block.drop()
    assert [block.add(step, 7.0) for step in (0, 1, 2)] == [False, False, True]
    assert block.close(2, None, 0.0).first_step == 0
