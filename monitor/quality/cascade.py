"""MTCNN's cascade of three networks, over all images and all candidates at once."""

from collections.abc import Iterator

import torch
from facenet_pytorch import ONet, PNet, RNet
from torch import Tensor, nn
from torch.nn.functional import interpolate

from monitor.quality.boxes import extent, pixels_of, squared
from monitor.quality.crops import crops, summed_area
from monitor.quality.precision import whole_floats
from monitor.quality.suppression import ranked, suppress

#: Pixels of the smallest face that is looked for; facenet-pytorch's default. It moves the score
#: (32 instead of 20: ΔQ = −0.0017 at 64 px), so it is part of the metric, not a setting.
MIN_FACE_SIZE = 20

#: Face probability that a candidate needs after each of the three networks; the defaults.
THRESHOLDS = (0.6, 0.7, 0.7)

#: Ratio of neighbouring sizes in the image pyramid; the default.
FACTOR = 0.709

#: Pixels: side of the first network's window, and the step between its windows.
WINDOW, STRIDE = 12, 2

#: Pixels: input side of the second and of the third network.
REFINE_SIDE, OUTPUT_SIDE = 24, 48

#: Intersection over union above which a candidate goes: within one size of the pyramid, and over
#: all of an image's.
SUPPRESS_IN_SIZE, SUPPRESS_IN_IMAGE = 0.5, 0.7

#: Bytes of a candidate in a network, by the side of its crop: its widest activations, twice.
BYTES_PER_CROP = {REFINE_SIDE: 2**17, OUTPUT_SIDE: 2**19}

#: Bytes of one run of a network on a CPU: activations stay in its cache, and below the size from
#: which the allocator takes fresh pages each time (faster than four times as much).
RUN_BYTES_ON_CPU = 2**24

#: Eyes, nose and corners of the mouth.
LANDMARKS = 5


class Cascade:
    """The likeliest face of each image, by facenet-pytorch's networks and weights.

    Zhang et al. 2016, "Joint Face Detection and Alignment using Multi-task Cascaded CNNs". What
    ``MTCNN.detect`` does box after box is done for all boxes at once, with the same result for
    each image. What differs: its last suppression is left out, since the likeliest face always
    survives it; images cannot suppress each other's boxes (its suppressions shift an image's
    boxes by the largest coordinate, which negative coordinates defeat); a candidate off the image
    is dropped instead of breaking the call; and of boxes that tie, being cut to the same pixels
    at the image's edge, the second network's favourite gives the landmarks.

    Args:
        device: of the networks.
        max_bytes: that one run of a network on candidates may take, or one suppression.
    """

    def __init__(self, device: torch.device, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._run_bytes = min(max_bytes, RUN_BYTES_ON_CPU) if device.type == "cpu" else max_bytes
        self._propose, self._refine, self._output = (
            network().to(device).eval() for network in (PNet, RNet, ONet)
        )

    @torch.inference_mode()
    def __call__(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Finds faces.

        Args:
            images: (N, H, W, 3) uint8 on the cascade's device.

        Returns:
            (N,) float32 probability of the likeliest face, 0 without one, and its (N, 5, 2)
            float32 landmarks x, y in pixels, NaN without one.
        """
        with whole_floats(images.device):
            return self._likeliest(images)

    def _likeliest(self, images: Tensor) -> tuple[Tensor, Tensor]:
        table = summed_area(images)
        found = torch.zeros(len(images), device=images.device)
        landmarks = torch.full((len(images), LANDMARKS, 2), torch.nan, device=images.device)
        image, boxes = _on_image(table, *self._proposed(images))
        if len(image):
            image, boxes = _on_image(table, *self._refined(table, image, boxes))
        if len(image):
            image, scores, points = self._located(table, image, boxes)
            found[image], landmarks[image] = scores, points
        return found, landmarks

    def _proposed(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Image and box of the first network's candidates, from every size of the pyramid."""
        # Contiguous: torch averages areas of such planes three times as fast.
        planes = images.permute(0, 3, 1, 2).float().contiguous()
        sizes = [self._windows(planes, scale) for scale in _scales(*planes.shape[2:])]
        windows, probability, offsets = (
            torch.cat(part, dim=-1) for part in zip(*sizes, strict=True)
        )
        size = torch.cat([torch.full_like(s[0][0], i) for i, s in enumerate(sizes)]).long()
        image, place = (probability >= THRESHOLDS[0]).nonzero(as_tuple=True)
        boxes, scores = windows[:, place].T, probability[image, place]
        kept = suppress(
            boxes, scores, image * len(sizes) + size[place], SUPPRESS_IN_SIZE, self._max_bytes
        )
        kept = kept[
            suppress(boxes[kept], scores[kept], image[kept], SUPPRESS_IN_IMAGE, self._max_bytes)
        ]
        image, place, boxes = image[kept], place[kept], boxes[kept]
        return image, squared(boxes + offsets[image, :, place] * extent(boxes).repeat(1, 2))

    def _windows(self, planes: Tensor, scale: float) -> tuple[Tensor, Tensor, Tensor]:
        """The first network's P windows at one size: (4, P), (N, P) and (N, 4, P)."""
        height, width = planes.shape[2:]
        level = interpolate(planes, (int(height * scale + 1), int(width * scale + 1)), mode="area")
        offsets, probability = self._propose(_normalised(level))
        rows, columns = (
            torch.arange(n, dtype=planes.dtype, device=planes.device) * STRIDE + 1
            for n in probability.shape[2:]
        )
        y, x = torch.meshgrid(rows, columns, indexing="ij")
        corner = torch.stack((x.flatten(), y.flatten()))
        # A tensor: divided by a number, a GPU multiplies by its reciprocal, and some windows move
        # by a pixel.
        size = corner.new_full((), scale)
        windows = torch.cat((corner / size, (corner + (WINDOW - 1)) / size)).floor()
        return windows, probability[:, 1].flatten(1), offsets.flatten(2)

    def _refined(self, table: Tensor, image: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor]:
        """Image and box of the candidates that the second network confirms."""
        offsets, probability = self._run(self._refine, table, image, boxes, REFINE_SIDE)
        passed = (probability[:, 1] > THRESHOLDS[1]).nonzero()[:, 0]
        image, boxes, scores = image[passed], boxes[passed], probability[passed, 1]
        kept = suppress(boxes, scores, image, SUPPRESS_IN_IMAGE, self._max_bytes)
        image, boxes = image[kept], boxes[kept]
        sides = extent(boxes).repeat(1, 2) + 1
        return image, squared(boxes + offsets[passed][kept] * sides)

    def _located(self, table: Tensor, image: Tensor, boxes: Tensor) -> tuple[Tensor, ...]:
        """Image, probability and landmarks of the likeliest faces, by the third network."""
        _, points, probability = self._run(self._output, table, image, boxes, OUTPUT_SIDE)
        scores = probability[:, 1]
        order, rank = ranked(scores, image)
        best = order[(rank == 0) & (scores[order] > THRESHOLDS[2])]
        corner, sides = boxes[best, None, :2], extent(boxes[best])[:, None] + 1
        inside = points[best].view(-1, 2, LANDMARKS).transpose(1, 2)
        return image[best], scores[best], sides * inside + corner - 1

    def _run(
        self, network: nn.Module, table: Tensor, image: Tensor, boxes: Tensor, side: int
    ) -> tuple[Tensor, ...]:
        """A network's outputs for M ≥ 1 candidates, each (M, ...)."""
        pixels = pixels_of(boxes, table.shape[1] - 1, table.shape[2] - 1)
        size = max(1, self._run_bytes // BYTES_PER_CROP[side])
        parts = [slice(i, i + size) for i in range(0, len(boxes), size)]
        runs = [network(_normalised(crops(table, image[p], pixels[p], side))) for p in parts]
        return tuple(torch.cat(output) for output in zip(*runs, strict=True))


def _scales(height: int, width: int) -> Iterator[float]:
    """Sizes of the pyramid, relative to the image, until it is smaller than a window."""
    scale = WINDOW / MIN_FACE_SIZE
    shorter = min(height, width) * scale
    while shorter >= WINDOW:
        yield scale
        scale, shorter = scale * FACTOR, shorter * FACTOR


def _on_image(table: Tensor, image: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor]:
    """Image and box of the boxes that cover at least one pixel."""
    pixels = pixels_of(boxes, table.shape[1] - 1, table.shape[2] - 1)
    covers = (pixels[:, 2:] > pixels[:, :2]).all(dim=1)
    return image[covers], boxes[covers]


def _normalised(pixels: Tensor) -> Tensor:
    """0 … 255 to −1 … 1, in facenet-pytorch's rounding."""
    return (pixels - 127.5) * 0.0078125
