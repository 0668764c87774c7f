"""Five-point alignment: faces of any size and pose become ArcFace's 112×112 crops."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import grid_sample

from monitor.errors import ImageError

#: Side of an ArcFace crop, in pixels.
CROP_SIZE = 112
#: Where eyes, nose and mouth corners go in the crop, in pixels (insightface's `arcface_dst`).
TEMPLATE: NDArray[np.float64] = np.array(
    [
        (38.2946, 51.6963),
        (73.5318, 51.5014),
        (56.0252, 71.7366),
        (41.5493, 92.3655),
        (70.7299, 92.2041),
    ]
)
#: Largest grey level of a uint8 pixel.
_WHITE = 255
#: Squared pixels: five landmarks within a thousandth of a pixel are one point but for rounding.
_LEAST_SPREAD = 1e-6
#: Float values of source images converted at a time (64 MiB): bounds memory for large images.
_CHUNK_VALUES = 2**24
#: Images warped at a time: bounds the sampling grids (100 kB each) and the float crops (150 kB).
_CHUNK_IMAGES = 256


def align(
    images: NDArray[np.uint8], landmarks: NDArray[np.floating], device: str | torch.device = "cpu"
) -> Tensor:
    """Warp each face onto ArcFace's template; without landmarks the whole image is the crop.

    The similarity transform is Umeyama's least-squares fit, as in insightface's `norm_crop`. The
    warp is bilinear without antialiasing, and black outside of the image, as in OpenCV's
    `warpAffine`.

    Args:
        images: (N, H, W, 3) uint8 RGB.
        landmarks: (N, 5, 2) pixel coordinates x, y of the image's left and right eye, nose, left
            and right mouth corner. An image whose five points are not finite, or are all one
            point, is resized whole (bilinear) instead.
        device: where the warp runs.

    Returns:
        (N, 112, 112, 3) uint8 RGB crops, on the device.

    Raises:
        ImageError: shapes or dtypes are other than these.
    """
    _check(images, landmarks)
    size = max(1, min(_CHUNK_IMAGES, _CHUNK_VALUES // max(1, images[:1].size)))
    where = torch.device(device)
    crops = torch.empty(len(images), CROP_SIZE, CROP_SIZE, 3, dtype=torch.uint8, device=where)
    for start in range(0, len(images), size):
        part = slice(start, start + size)
        grid = _sampling_grid(landmarks[part], *images.shape[1:3])
        crops[part] = _sample(images[part], grid, where)
    return crops


def _check(images: NDArray[np.uint8], landmarks: NDArray[np.floating]) -> None:
    if images.ndim != 4 or images.shape[3] != 3 or 0 in images.shape[1:3]:
        raise ImageError(f"images to align have shape {images.shape}; give (N, H, W, 3)")
    if images.dtype != np.uint8:
        raise ImageError(f"images to align are {images.dtype}; give uint8 RGB")
    if landmarks.shape != (len(images), 5, 2):
        raise ImageError(
            f"landmarks have shape {landmarks.shape}; give ({len(images)}, 5, 2), NaN for no face"
        )


def _crop_to_image(
    landmarks: NDArray[np.float64],
) -> tuple[NDArray[np.complex128], NDArray[np.complex128], NDArray[np.bool_]]:
    """Inverse of each least-squares similarity, and whether there is one.

    With points as complex numbers x + iy, a similarity without reflection is z → az + b, and
    Umeyama's fit of five points is plain complex regression.
    """
    target = TEMPLATE[:, 0] + 1j * TEMPLATE[:, 1]
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        points = landmarks[..., 0] + 1j * landmarks[..., 1]
        centre = points.mean(axis=1, keepdims=True)
        offsets = points - centre
        covariance = (offsets.conj() * (target - target.mean())).sum(axis=1)
        spread = (np.abs(offsets) ** 2).sum(axis=1)
        slope = spread / covariance
        shift = centre[:, 0] - slope * target.mean()
    found = np.isfinite(slope) & np.isfinite(shift) & (spread > _LEAST_SPREAD)
    return slope, shift, found


def _sampling_grid(landmarks: NDArray[np.floating], height: int, width: int) -> NDArray[np.float32]:
    """(N, 112, 112, 2) points to sample, in grid_sample's units."""
    points = np.repeat(_whole_image(height, width)[None], len(landmarks), axis=0)
    slope, shift, found = _crop_to_image(landmarks.astype(np.float64))
    pixels = np.arange(CROP_SIZE) + 1j * np.arange(CROP_SIZE)[:, None]
    points[found] = slope[found, None, None] * pixels + shift[found, None, None]
    # Without align_corners, grid_sample puts pixel x of a width W at (2x + 1)/W − 1.
    grid = [(2 * points.real + 1) / width - 1, (2 * points.imag + 1) / height - 1]
    return np.stack(grid, axis=-1).astype(np.float32)


def _whole_image(height: int, width: int) -> NDArray[np.complex128]:
    """Sampling points of a plain resize, held inside the image so that its edge stays bright."""
    centres = (np.arange(CROP_SIZE) + 0.5) / CROP_SIZE
    x = np.clip(centres * width - 0.5, 0, width - 1)
    y = np.clip(centres * height - 0.5, 0, height - 1)
    return x + 1j * y[:, None]


def _sample(images: NDArray[np.uint8], grid: NDArray[np.float32], device: torch.device) -> Tensor:
    # The copy is writable and contiguous, which torch asks for and views of frames are not.
    pixels = torch.from_numpy(images.copy()).to(device).permute(0, 3, 1, 2).float()
    points = torch.from_numpy(grid).to(device)
    crops = grid_sample(pixels, points, padding_mode="zeros", align_corners=False)
    levels = crops.round_().clamp_(0, _WHITE).to(torch.uint8)
    return levels.permute(0, 2, 3, 1)
