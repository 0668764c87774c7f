"""Embedders: ArcFace networks that turn aligned crops into features, loaded by insightface."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from monitor.diversity.alignment import CROP_SIZE
from monitor.diversity.session import (
    CPU,
    MAX_GPU_BYTES,
    providers,
    run_bound,
    session_options,
    steadfast,
)
from monitor.diversity.shipped import DATA as DATA
from monitor.diversity.zoo import pack_files
from monitor.errors import EmbedderError, ImageError

#: Crops of one run of the network on a GPU: 38 MB of input, enough to fill it.
_BATCH = 256
#: The same on a CPU, where a run of 256 falls out of the cache: 2.4 MB. (It took a fifth longer.)
_CPU_BATCH = 16
#: Bytes hashed at a time.
_HASH_CHUNK_BYTES = 2**20


@dataclass(frozen=True)
class Embedder:
    """One loaded ArcFace network.

    Attributes:
        name: as it was asked for; the file's name where that was a path.
        sha256: of the ONNX file, in hexadecimal: what a reference set is bound to.
        dimension: length d of a feature.
        provider: onnxruntime execution provider that it really got.
    """

    name: str
    sha256: str
    dimension: int
    provider: str
    _model: Any = field(repr=False)

    def embed(self, crops: Tensor | NDArray[np.uint8]) -> NDArray[np.float32]:
        """Features of aligned crops, as the network gives them (not normalised).

        On a GPU crops that are there already stay there (IO binding).

        Args:
            crops: (N, 112, 112, 3) uint8 RGB, from `monitor.diversity.alignment.align`.

        Returns:
            (N, d) float32.

        Raises:
            ImageError: the crops have another shape or dtype.
            EmbedderError: the network failed, or gave a NaN or an infinite feature.
        """
        shape = tuple(crops.shape)
        if shape[1:] != (CROP_SIZE, CROP_SIZE, 3) or crops.dtype not in (np.uint8, torch.uint8):
            raise ImageError(f"crops are {crops.dtype} {shape}; give uint8 (N, 112, 112, 3)")
        if isinstance(crops, Tensor) and (self.provider == CPU or not crops.is_cuda):
            crops = crops.cpu().numpy()
        features = np.empty((len(crops), self.dimension), np.float32)
        for start in range(0, len(crops), size := _batch_size(self._model, self.provider)):
            features[start : start + size] = self._run(crops[start : start + size])
        if not np.isfinite(features).all():
            raise EmbedderError(f"embedder {self.name} gave a feature that is not finite")
        return features

    def _run(self, crops: Tensor | NDArray[np.uint8]) -> NDArray[np.float32]:
        try:
            if isinstance(crops, np.ndarray):
                return _forward(self._model, crops)
            bound: NDArray[np.float32] = (
                forward_bound(self._model, crops, self.dimension).cpu().numpy()
            )
            return bound
        except Exception as error:  # onnxruntime's own errors have no common base
            told = " ".join(str(error).split())
            raise EmbedderError(
                f"embedder {self.name} fails on {len(crops)} crops: {told}"
            ) from error


def load_embedder(
    name_or_path: str | Path,
    device: str | torch.device = "cpu",
    model_root: str | Path | None = None,
    max_gpu_bytes: int = MAX_GPU_BYTES,
) -> Embedder:
    """Load an ArcFace network through insightface's model zoo.

    Args:
        name_or_path: ``faces100`` (ships here), a path that ends in ``.onnx``, or a pack such as
            ``buffalo_l``, which insightface downloads at first use (326 MB; its weights are for
            non-commercial research only).
        device: ``cpu``, ``cuda`` or ``cuda:N``; without a CUDA provider it runs on the CPU.
        model_root: folder with ``models/<pack>/``; insightface's own ``~/.insightface`` by default.
        max_gpu_bytes: of a GPU's memory that it may hold.

    Raises:
        EmbedderError: it is not there, cannot be downloaded or read, or is not an ArcFace network
            (input N×3×112×112, output N×d).
    """
    name, files = _locate(name_or_path, model_root)
    for path in files:
        model = _load(path, providers(device, max_gpu_bytes))
        if getattr(model, "taskname", None) == "recognition":
            provider = model.session.get_providers()[0]
            return Embedder(name, _sha256(path), _dimension(model, path), provider, model)
    raise EmbedderError(
        f"no ArcFace network (input N×3×{CROP_SIZE}×{CROP_SIZE}, one output N×d) among "
        f"{', '.join(map(str, files))}"
    )


def _locate(name_or_path: str | Path, model_root: str | Path | None) -> tuple[str, list[Path]]:
    text = str(name_or_path)
    if text == "faces100":
        return text, [DATA / "faces100.onnx"]
    if not text.endswith(".onnx"):
        return text, pack_files(text, model_root)
    path = Path(text).expanduser()
    if not path.is_file():
        raise EmbedderError(f"no embedder file at {path}")
    return path.name, [path]


def _load(path: Path, asked: list[Any]) -> Any:
    try:
        from insightface.model_zoo import get_model  # takes 0.6 s

        model = get_model(str(path), providers=asked, sess_options=session_options())
        # Other models of the zoo have none; they are not taken.
        if hasattr(model, "session"):
            steadfast(model.session)
        return model
    except Exception as error:  # whatever parsers of foreign files raise is the file's fault
        raise EmbedderError(f"cannot load {path} as an ONNX model: {error}") from error


def _batch_size(model: Any, provider: str) -> int:
    batch = model.input_shape[0]
    free = _CPU_BATCH if provider == CPU else _BATCH
    return batch if isinstance(batch, int) else free


def _forward(model: Any, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
    # insightface derives mean and deviation from the graph; the usual (x − 127.5)/127.5, or none.
    # Its own `forward` takes three copies for this, the last one not contiguous.
    pixels = np.empty((len(crops), 3, *crops.shape[1:3]), np.float32)
    np.subtract(crops.transpose(0, 3, 1, 2), np.float32(model.input_mean), out=pixels)
    pixels /= np.float32(model.input_std)
    features: NDArray[np.float32] = model.session.run(
        model.output_names, {model.input_name: pixels}
    )[0]
    return features


def forward_bound(model: Any, crops: Tensor, dimension: int) -> Tensor:
    """What insightface's `forward` does, with tensors that stay on their device.

    Args:
        model: insightface's ArcFace model.
        crops: (N, 112, 112, 3) uint8 RGB.
        dimension: length d of a feature.

    Returns:
        (N, d) float32 on the device of the crops.
    """
    pixels = crops.permute(0, 3, 1, 2).float()
    return run_bound(model.session, (pixels - model.input_mean) / model.input_std, dimension)


def _dimension(model: Any, path: Path) -> int:
    """Length of a feature by a trial, since exports often declare other shapes than they give."""
    expected = [3, CROP_SIZE, CROP_SIZE]
    batch, *image = model.input_shape
    if image != expected or (isinstance(batch, int) and batch != 1):
        raise EmbedderError(
            f"{path} takes {model.input_shape}; an ArcFace network takes {['N', *expected]}, N "
            "free or 1"
        )
    count = 1 if batch == 1 else 2
    try:
        features = _forward(model, np.zeros((count, CROP_SIZE, CROP_SIZE, 3), np.uint8))
    except Exception as error:  # onnxruntime's own errors have no common base
        raise EmbedderError(f"{path} fails on a float32 crop: {error}") from error
    if features.ndim != 2 or len(features) != count or features.dtype != np.float32:
        raise EmbedderError(
            f"{path} gives {features.dtype} {features.shape} for {count} crops; an ArcFace network "
            "gives float32 N×d"
        )
    return int(features.shape[1])


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_HASH_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
