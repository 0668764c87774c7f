"""Any ONNX network on samples: pixels brought to its input, its output as one row a sample."""

import hashlib
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.diversity.session import MAX_GPU_BYTES, providers, session_options, steadfast
from monitor.errors import EvaluatorError
from monitor.evaluators.images import COLOUR, GREY, RANK, are_images, with_channels
from monitor.protocol import Samples

#: Samples of one run: enough to fill a GPU.
MOST_PER_RUN = 256
#: Input values of one run: 64 MiB of float32, whatever the size of the images.
MOST_VALUES = 2**24
#: Largest value of a pixel.
WHITE = 255.0
#: onnxruntime's types of inputs that it is given.
INPUTS = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(uint8)": np.uint8}
#: Bytes hashed at a time.
HASH_CHUNK_BYTES = 2**20


class Network:
    """An ONNX network with one input.

    Images become float (x/255 − mean)/std, in the network's size (bilinear, antialiased) and
    channels; a network that takes uint8 gets the pixels as they are, and float samples are never
    touched.

    Args:
        path: of the file.
        device: a torch device; without a CUDA provider it runs on the CPU.
        mean, std: one number, or one a channel.
        max_gpu_bytes: of a GPU's memory that it may hold.

    Raises:
        EvaluatorError: the file is missing or no such network.
    """

    def __init__(
        self,
        path: Path,
        device: str,
        mean: tuple[float, ...] = (0,),
        std: tuple[float, ...] = (1,),
        max_gpu_bytes: int = MAX_GPU_BYTES,
    ) -> None:
        if not path.is_file():
            raise EvaluatorError(f"no ONNX file at {path}")
        if not all(map(math.isfinite, (*mean, *std))) or 0 in std:
            raise EvaluatorError(f"mean {mean} and std {std} must be finite, and no std 0")
        self.name = path.name
        self._mean = np.array(mean, np.float32).reshape(-1, 1, 1)
        self._std = np.array(std, np.float32).reshape(-1, 1, 1)
        self._session = _session(path, providers(device, max_gpu_bytes))
        # Once it is known to be a sound model.
        self.sha256 = _fingerprint(path, mean, std)
        self.provider: str = self._session.get_providers()[0]
        first, *others = self._session.get_inputs()
        if others or first.type not in INPUTS:
            raise EvaluatorError(
                f"{path} takes {1 + len(others)} inputs, the first {first.type}; a network with "
                f"one, {' or '.join(INPUTS)}, is needed"
            )
        self._input, self._shape, self._dtype = first.name, first.shape, INPUTS[first.type]
        self.dimension = _declared_width(self._session.get_outputs()[0].shape)

    def run(self, samples: Samples) -> NDArray[np.float32]:
        """The first output, one row a sample: (n, k).

        Raises:
            EvaluatorError: the network does not take these samples, or gives something else.
        """
        rows = [self._rows(piece) for piece in self._pieces(samples)]
        if len({row.shape[1] for row in rows}) != 1:
            raise EvaluatorError(f"{self.name} gives rows of different lengths")
        return np.concatenate(rows)

    def _rows(self, piece: Samples) -> NDArray[np.float32]:
        inputs = self._prepared(piece)
        missing = self._fixed_batch() - len(inputs)
        if missing > 0:
            inputs = np.concatenate([inputs, np.repeat(inputs[-1:], missing, axis=0)])
        try:
            output = np.asarray(self._session.run(None, {self._input: inputs})[0])
        except Exception as error:  # onnxruntime's own errors have no common base
            told = " ".join(str(error).split())
            raise EvaluatorError(f"{self.name} fails on {inputs.shape}: {told}") from error
        wide = math.prod(output.shape[1:])
        fits = output.ndim > 1 and len(output) == len(inputs) and wide > 0
        if not fits or max(output.shape[1:]) != wide:
            raise EvaluatorError(
                f"{self.name} gives {output.shape} for {len(inputs)} samples; one row of numbers "
                "for each is needed, (n, k)"
            )
        values = output.reshape(len(output), wide)[: len(piece)].astype(np.float32)
        if not np.isfinite(values).all():
            raise EvaluatorError(f"{self.name} gives a number that is not finite")
        return values

    def _pieces(self, samples: Samples) -> Iterator[Samples]:
        values = math.prod(d for d in self._shape[1:] if isinstance(d, int))
        values = max(values, math.prod(samples.shape[1:]))
        size = self._fixed_batch() or max(1, min(MOST_PER_RUN, MOST_VALUES // values))
        for start in range(0, len(samples), size):
            yield samples[start : start + size]

    def _fixed_batch(self) -> int:
        """Samples that the network takes at a time, 0 if it does not mind."""
        return self._shape[0] if self._shape and isinstance(self._shape[0], int) else 0

    def _prepared(self, piece: Samples) -> NDArray[Any]:
        if not are_images(piece):
            return piece.astype(self._dtype)
        channels, height, width, last = self._image_input()
        images = _resized(with_channels(piece.astype(np.float32), channels), height, width)
        if self._dtype == np.uint8:
            images = images.round().clip(0, WHITE)
        else:
            images = (images / np.float32(WHITE) - self._mean) / self._std
        if last:
            images = images.transpose(0, 2, 3, 1)
        return np.ascontiguousarray(images, self._dtype)

    def _image_input(self) -> tuple[int, int | None, int | None, bool]:
        """Channels, height and width (None: any), and whether channels come last."""
        if len(self._shape) != RANK:
            raise EvaluatorError(f"{self.name} takes {self._shape}, no images (N, C, H, W)")
        _, *sides = (side if isinstance(side, int) else None for side in self._shape)
        last = sides[2] in (GREY, COLOUR) and sides[0] not in (GREY, COLOUR)
        channels, height, width = (sides[2], *sides[:2]) if last else sides
        if channels not in (GREY, COLOUR, None):
            raise EvaluatorError(f"{self.name} takes {self._shape}; images have 1 or 3 channels")
        return channels or COLOUR, height, width, last


def _session(path: Path, asked: list[Any]) -> Any:
    from onnxruntime import InferenceSession

    try:
        return steadfast(InferenceSession(str(path), session_options(), providers=asked))
    except Exception as error:  # whatever parsers of foreign files raise is the file's fault
        told = " ".join(str(error).split())
        raise EvaluatorError(f"cannot load {path} as an ONNX model: {told}") from error


def _fingerprint(path: Path, mean: tuple[float, ...], std: tuple[float, ...]) -> str:
    """SHA-256 of the file, of weights beside it, and of a scale of pixels if there is one."""
    digest = hashlib.sha256()
    for part in (path, *_weight_files(path)):
        with part.open("rb") as file:
            while chunk := file.read(HASH_CHUNK_BYTES):
                digest.update(chunk)
    if (set(mean), set(std)) != ({0}, {1}):
        digest.update(f"mean={mean}, std={std}".encode())
    return digest.hexdigest()


def _weight_files(path: Path) -> list[Path]:
    """Files that hold weights of the network; torch puts them into one beside it."""
    import onnx
    from onnx.external_data_helper import ExternalDataInfo, uses_external_data

    tensors = onnx.load(path, load_external_data=False).graph.initializer
    named = {ExternalDataInfo(each).location for each in tensors if uses_external_data(each)}
    return [path.parent / name for name in sorted(named)]


def _declared_width(shape: list[Any]) -> int | None:
    sides = shape[1:]
    return math.prod(sides) if sides and all(isinstance(side, int) for side in sides) else None


def _resized(
    images: NDArray[np.float32], height: int | None, width: int | None
) -> NDArray[np.float32]:
    size = height or images.shape[2], width or images.shape[3]
    if size == images.shape[2:]:
        return images
    import torch
    from torch.nn.functional import interpolate

    planes = torch.from_numpy(np.ascontiguousarray(images))
    resized: NDArray[np.float32] = interpolate(
        planes, size, mode="bilinear", antialias=True
    ).numpy()
    return resized
