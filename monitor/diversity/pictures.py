"""Image files to samples."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.errors import ImageError

#: Larger images are shrunk to this many pixels a side first: bounds memory, and no embedder sees
#: more (ArcFace's crops have 112).
MOST_SIDE = 1024
#: Values of 16 bits for each of 8.
GREYS_PER_BYTE = 257


def read_picture(path: Path) -> NDArray[np.uint8]:
    """(3, H, W) uint8 RGB, upright as its EXIF says, at most 1024 px a side.

    Grey of 16 bits is brought to 8.

    Raises:
        ImageError: the file is missing, no sound image, or has pixels of 32 bits.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            image.draft("RGB", (MOST_SIDE, MOST_SIDE))
            upright = _in_8_bits(ImageOps.exif_transpose(image)).convert("RGB")
        upright.thumbnail((MOST_SIDE, MOST_SIDE), Image.Resampling.BILINEAR)
        return np.ascontiguousarray(np.asarray(upright).transpose(2, 0, 1))
    except FileNotFoundError as error:
        raise ImageError("there is no such file") from error
    except UnidentifiedImageError as error:
        raise ImageError("no image of a known kind") from error
    except Exception as error:  # decoders of foreign files raise anything
        said = str(error).replace(repr(str(path)), "it").replace(str(path), "it")
        raise ImageError(" ".join(said.split()) or type(error).__name__) from error


def _in_8_bits(image: Any) -> Any:
    """An image whose colours `convert` would clip, as one that it does not."""
    from PIL import Image

    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) // GREYS_PER_BYTE).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise ImageError("its pixels have 32 bits, of which nobody says the range; give 8 or 16")
    return image
