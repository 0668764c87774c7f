"""Cuts boxes out of images and shrinks them to a network's input, all at once."""

import torch
from torch import Tensor


def summed_area(images: Tensor) -> Tensor:
    """Sums of all pixels above and left of each corner.

    On images of more than 8.4 million pixels the sums wrap around, which their differences
    undo: a bin's sum is right as long as it fits in int32 itself.

    Args:
        images: (N, H, W, 3) uint8.

    Returns:
        (N, H + 1, W + 1, 3) int32.
    """
    n, height, width, channels = images.shape
    table = images.new_zeros((n, height + 1, width + 1, channels), dtype=torch.int32)
    down = images.cumsum(dim=1, dtype=torch.int32)
    table[:, 1:, 1:] = down.cumsum(dim=2, dtype=torch.int32)
    return table


def crops(table: Tensor, image: Tensor, pixels: Tensor, side: int) -> Tensor:
    """Parts of images, area-averaged to side × side exactly as ``interpolate(mode="area")`` does.

    An output pixel is the mean over a bin of whole pixels (neighbouring bins may share some), so
    four corners of the summed-area table give its sum.

    Args:
        table: (N, H + 1, W + 1, 3) int32 from `summed_area`.
        image: (M,) int64, which image each part is cut from.
        pixels: (M, 4) int64 left, top, right, bottom, not empty and inside the image.
        side: of the crops, in pixels.

    Returns:
        (M, 3, side, side) float32, 0 … 255.
    """
    _, rows, columns, channels = table.shape
    left, top, right, bottom = pixels[:, :, None].unbind(dim=1)
    above, below = _bins(top, bottom, side)
    before, behind = _bins(left, right, side)
    corners = table.view(-1, channels)
    first_row = image[:, None] * rows

    def until(row: Tensor, column: Tensor) -> Tensor:
        places = ((first_row + row) * columns)[:, :, None] + column[:, None, :]
        # Copies whole pixels: seven times as fast on a CPU as `corners[places]`.
        return corners.index_select(0, places.flatten()).view(*places.shape, channels)

    sums = until(below, behind) - until(above, behind) - until(below, before)
    sums += until(above, before)
    # Divided one after the other, as torch does it, the means agree to the last bit.
    means = sums.float() / (below - above)[:, :, None, None] / (behind - before)[:, None, :, None]
    return means.permute(0, 3, 1, 2)


def _bins(start: Tensor, end: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """(M, 1) ranges of pixels to the (M, count) first pixels of their bins, and ends of them."""
    i = torch.arange(count, device=start.device)
    first = (i * (end - start)).div(count, rounding_mode="floor")
    last = ((i + 1) * (end - start) - 1).div(count, rounding_mode="floor")
    return start + first, start + last + 1
