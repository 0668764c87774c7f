"""Crops from the summed-area table against torch's own area interpolation, to the last bit."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import interpolate

from monitor.quality.boxes import pixels_of, squared
from monitor.quality.crops import crops, summed_area

HEIGHT, WIDTH = 61, 90


@given(st.integers(0, 10_000), st.sampled_from([24, 48]))
def test_crops_are_what_interpolate_gives(seed: int, side: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(256, (2, HEIGHT, WIDTH, 3), generator=generator, dtype=torch.uint8)
    start = (torch.rand(6, 2, generator=generator) * torch.tensor([WIDTH - 1, HEIGHT - 1])).long()
    room = torch.tensor([WIDTH, HEIGHT]) - start
    end = start + 1 + (torch.rand(6, 2, generator=generator) * (room - 1)).long()
    image = torch.arange(6) % 2
    found = crops(summed_area(images), image, torch.cat((start, end), dim=1), side)
    for crop, i, (left, top), (right, bottom) in zip(
        found, image.tolist(), start.tolist(), end.tolist(), strict=True
    ):
        part = images[i, top:bottom, left:right].permute(2, 0, 1).float()
        expected = interpolate(part[None], size=(side, side), mode="area")[0]
        assert torch.equal(crop, expected)


def test_sums_may_wrap_around() -> None:
    images = torch.full((1, 2900, 2910, 3), 255, dtype=torch.uint8)
    table = summed_area(images)
    assert table[0, -1, -1, 0] < 0  # 8,439,000 pixels of 255 are beyond int32
    whole = torch.tensor([[0, 0, 2910, 2900], [2900, 2800, 2910, 2900]])
    assert (crops(table, torch.tensor([0, 0]), whole, 24) == 255).all()


@pytest.mark.parametrize(
    ("box", "pixels"),
    [
        ([1.0, 1.0, 12.0, 10.0], [0, 0, 12, 10]),
        ([3.9, 2.1, 7.9, 5.5], [2, 1, 7, 5]),
        ([-8.5, -0.5, 400.0, 300.0], [0, 0, WIDTH, HEIGHT]),
    ],
)
def test_boxes_count_from_one_with_both_ends_inside(box: list[float], pixels: list[int]) -> None:
    assert pixels_of(torch.tensor([box]), HEIGHT, WIDTH).tolist() == [pixels]


@pytest.mark.parametrize("box", [[95.0, 5, 99, 9], [-9.0, 5, -2, 9], [5.0, 70, 9, 75]])
def test_nothing_is_left_of_a_box_off_the_image(box: list[float]) -> None:
    left, top, right, bottom = pixels_of(torch.tensor([box]), HEIGHT, WIDTH)[0].tolist()
    assert right <= left or bottom <= top


def test_squares_keep_the_centre() -> None:
    found = squared(torch.tensor([[10.0, 20, 30, 60], [0.0, 0, 9, 3]]))
    assert found.tolist() == [[0, 20, 40, 60], [0, -3, 9, 6]]
