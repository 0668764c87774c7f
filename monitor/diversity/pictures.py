"""Image files to samples."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from monitor.errors import ImageError

#: Larger images are shrunk to this many pixels a side first: bounds memory, and no embedder sees
#: more (ArcFace's crops have 112).
MOST_SIDE = 1024


def read_picture(path: Path) -> NDArray[np.uint8]:
    """(3, H, W) uint8 RGB, upright as its EXIF says, at most 1024 px a side.

    Raises:
        ImageError: the file is missing or no sound image.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            image.draft("RGB", (MOST_SIDE, MOST_SIDE))
            upright = ImageOps.exif_transpose(image).convert("RGB")
        upright.thumbnail((MOST_SIDE, MOST_SIDE), Image.Resampling.BILINEAR)
        return np.ascontiguousarray(np.asarray(upright).transpose(2, 0, 1))
    except FileNotFoundError as error:
        raise ImageError("there is no such file") from error
    except UnidentifiedImageError as error:
        raise ImageError("no image of a known kind") from error
    except Exception as error:  # decoders of foreign files raise anything
        said = str(error).replace(repr(str(path)), "it").replace(str(path), "it")
        raise ImageError(" ".join(said.split()) or type(error).__name__) from error
