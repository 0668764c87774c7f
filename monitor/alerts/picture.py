"""Pictures for notices: the curves around an alert, and two image grids side by side, as PNG."""

import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, UnidentifiedImageError

#: Size of one panel, pixels: three of them are read on a telephone without turning it.
WIDTH, HEIGHT = 640, 150
#: Room for numbers at the left, for the title at the top, for steps at the bottom, pixels.
LEFT, TOP, BOTTOM, RIGHT = 64, 22, 18, 12
FONT_PX = 12
INK, FAINT, LINE, MARK = "#1f2328", "#d0d7de", "#0969da", "#cf222e"
#: Points are drawn as dots if they are further apart than this on average, pixels.
SPARSE_PX = 8
#: Side of each image grid, pixels.
GRID_PX = 480
#: A grid of more pixels is not opened: the worker's are a few hundred thousand.
MOST_PIXELS = 16_000_000


@dataclass(frozen=True, slots=True)
class Curve:
    """One metric around an alert.

    Attributes:
        title: its name and unit.
        step: (N,) ascending.
        value: (N,) float64, NaN where there is none.
    """

    title: str
    step: NDArray[np.int64]
    value: NDArray[np.float64]


def draw_curves(curves: Sequence[Curve], marks: Sequence[int]) -> bytes:
    """Panels one below the other over the same steps, with vertical marks; PNG, b"" without any.

    Args:
        curves: those without a finite value are left out.
        marks: steps, such as where a change began and where it was noticed.
    """
    drawn = [curve for curve in curves if np.isfinite(curve.value).any()]
    if not drawn:
        return b""
    first = min(int(curve.step[0]) for curve in drawn)
    last = max(int(curve.step[-1]) for curve in drawn)
    image = Image.new("RGB", (WIDTH, HEIGHT * len(drawn)), "white")
    for number, curve in enumerate(drawn):
        _draw_panel(ImageDraw.Draw(image), curve, (first, max(last, first + 1)), marks,
                    number * HEIGHT)  # fmt: skip
    return _png(image)


def draw_pair(grids: Sequence[tuple[str, bytes]]) -> bytes:
    """Image grids side by side under their captions; PNG, b"" if none can be read.

    Args:
        grids: caption and encoded image of each.
    """
    opened = [(caption, image) for caption, data in grids if (image := _opened(data)) is not None]
    if not opened:
        return b""
    page = Image.new("RGB", (GRID_PX * len(opened), GRID_PX + TOP), "white")
    draw = ImageDraw.Draw(page)
    for number, (caption, image) in enumerate(opened):
        draw.text((number * GRID_PX + 4, 4), caption, fill=INK, font=_font())
        image.thumbnail((GRID_PX - 4, GRID_PX))
        page.paste(image, (number * GRID_PX, TOP))
    return _png(page)


def _draw_panel(
    draw: ImageDraw.ImageDraw, curve: Curve, steps: tuple[int, int], marks: Sequence[int], top: int
) -> None:
    inside = (LEFT, top + TOP, WIDTH - RIGHT, top + HEIGHT - BOTTOM)
    finite = curve.value[np.isfinite(curve.value)]
    low, high = float(finite.min()), float(finite.max())
    if low == high:
        low, high = low - (abs(low) or 1.0) / 2, high + (abs(high) or 1.0) / 2

    def x_of(step: NDArray[np.int64] | int) -> NDArray[np.float64]:
        share = (np.asarray(step, np.float64) - steps[0]) / (steps[1] - steps[0])
        return inside[0] + share * (inside[2] - inside[0])

    def y_of(value: NDArray[np.float64]) -> NDArray[np.float64]:
        return inside[3] - (value - low) / (high - low) * (inside[3] - inside[1])

    draw.rectangle(inside, outline=FAINT)
    draw.text((LEFT, top + 4), curve.title, fill=INK, font=_font())
    for value, y in ((high, inside[1]), (low, inside[3] - FONT_PX)):
        draw.text((4, y), f"{value:.3g}", fill=INK, font=_font())
    for step, side in ((steps[0], "la"), (steps[1], "ra")):
        draw.text(
            (float(x_of(step)), inside[3] + 2), f"{step:,}", fill=INK, font=_font(), anchor=side
        )
    for mark in marks:
        if steps[0] <= mark <= steps[1]:
            x = float(x_of(mark))
            draw.line((x, inside[1], x, inside[3]), fill=MARK)
    points = _envelope(x_of(curve.step), y_of(curve.value))
    if len(points) > 1:
        draw.line(points, fill=LINE)
    if len(points) < (inside[2] - inside[0]) / SPARSE_PX:
        for at, height in points:
            draw.ellipse((at - 2, height - 2, at + 2, height + 2), fill=LINE)


def _envelope(x: NDArray[np.float64], y: NDArray[np.float64]) -> list[tuple[float, float]]:
    """At most the lowest and the highest point of each column of pixels: no spike is lost."""
    known = np.isfinite(y)
    x, y = x[known], y[known]
    columns = np.floor(x).astype(np.int64)
    points: list[tuple[float, float]] = []
    for part in np.split(np.arange(x.size), np.flatnonzero(np.diff(columns)) + 1):
        for index in sorted({part[y[part].argmin()], part[y[part].argmax()]} if part.size else ()):
            points.append((float(x[index]), float(y[index])))
    return points


def _opened(data: bytes) -> Image.Image | None:
    """The image, if it is one and not too large: what lies in Redis is not trusted."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            image = Image.open(io.BytesIO(data), formats=("WEBP", "PNG"))
            if image.width * image.height > MOST_PIXELS:
                return None
            return image.convert("RGB")
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Warning):
        return None


def _font() -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    return ImageFont.load_default(FONT_PX)


def _png(image: Image.Image) -> bytes:
    data = io.BytesIO()
    image.save(data, "PNG", optimize=True)
    return data.getvalue()
