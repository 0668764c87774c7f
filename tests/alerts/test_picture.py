"""Pictures of curves and grids can be opened, keep spikes, and survive what lies in Redis."""

import io

import numpy as np
import pytest
from PIL import Image

from monitor.alerts.picture import GRID_PX, HEIGHT, LINE, MARK, WIDTH, Curve, draw_curves, draw_pair


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data)).convert("RGB")


def pixels_of(image: Image.Image, colour: str) -> set[tuple[int, int]]:
    """Where a colour is, as (x, y)."""
    wanted = tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5))
    found = np.argwhere((np.asarray(image) == wanted).all(axis=2))
    return {(int(x), int(y)) for y, x in found}


def encoded(kind: str, size: tuple[int, int] = (64, 32)) -> bytes:
    data = io.BytesIO()
    Image.new("RGB", size, "red").save(data, kind)
    return data.getvalue()


def test_curves_have_a_panel_each_and_a_mark() -> None:
    steps = np.arange(0, 1000, 10)
    curves = [Curve(name, steps, np.sin(steps / 50.0)) for name in ("S.G (rad)", "Q", "D")]
    image = opened(draw_curves(curves, [500, 520]))
    assert image.size == (WIDTH, 3 * HEIGHT)
    columns = {x for x, _ in pixels_of(image, MARK)}
    assert len(columns) == 2


def test_single_spike_among_a_million_is_seen() -> None:
    value = np.zeros(1_000_000)
    value[700_001] = 5.0
    data = draw_curves([Curve("S.D", np.arange(value.size), value)], [])
    heights = [y for _, y in pixels_of(opened(data), LINE)]
    assert max(heights) - min(heights) > HEIGHT / 2
    assert len(data) < 50_000


@pytest.mark.parametrize(
    "value", [[1.0], [2.0, 2.0, 2.0], [np.nan, 1.0, np.inf, 3.0], [1e300, -1e300], [0.0, 1e-320]]
)
def test_values_of_every_kind_are_drawn(value: list[float]) -> None:
    steps = np.arange(len(value))
    assert opened(draw_curves([Curve("x", steps, np.array(value))], [0, 99])).size[0] == WIDTH


def test_nothing_to_draw_is_no_picture() -> None:
    assert draw_curves([], []) == b""
    assert draw_curves([Curve("Q", np.arange(2), np.full(2, np.nan))], []) == b""
    assert draw_pair([]) == b""


def test_grids_stand_side_by_side() -> None:
    data = draw_pair([("step 1", encoded("WEBP")), ("step 2", encoded("PNG", (2000, 1000)))])
    assert opened(data).width == 2 * GRID_PX


@pytest.mark.parametrize(
    "data", [b"", b"nonsense", encoded("WEBP")[:40], encoded("PNG")[:60], encoded("GIF"),
             encoded("PNG", (5000, 5000))],
)  # fmt: skip
def test_bytes_that_are_no_grid_are_left_out(data: bytes) -> None:
    assert draw_pair([("step 1", data)]) == b""
    assert opened(draw_pair([("a", data), ("b", encoded("PNG"))])).width == GRID_PX
