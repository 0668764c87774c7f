"""The picture of a batch: its first images in a square."""

import io
import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

#: Images a side; 64 faces can be taken in at a glance.
SIDE = 8
#: Larger images are shrunk to this many pixels a side.
MOST_TILE_PX = 128
#: WebP quality: no visible loss on small faces, 20–40 kB a grid.
QUALITY = 90


def image_grid(images: NDArray[np.uint8]) -> bytes:
    """WebP of up to 64 images in rows of 8, black where there are fewer.

    Args:
        images: (N, H, W, 3) uint8 RGB, N ≥ 1.
    """
    shown = [_tile(image) for image in images[: SIDE * SIDE]]
    width, height = shown[0].size
    rows = math.ceil(len(shown) / SIDE)
    sheet = Image.new("RGB", (width * min(SIDE, len(shown)), height * rows))
    for index, tile in enumerate(shown):
        sheet.paste(tile, (index % SIDE * width, index // SIDE * height))
    encoded = io.BytesIO()
    sheet.save(encoded, "WEBP", quality=QUALITY)
    return encoded.getvalue()


def _tile(image: NDArray[np.uint8]) -> Image.Image:
    tile = Image.fromarray(image)
    if max(tile.size) > MOST_TILE_PX:
        tile.thumbnail((MOST_TILE_PX, MOST_TILE_PX))
    return tile
