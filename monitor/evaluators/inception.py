"""FID's Inception network as an embedder: ``inception:WEIGHTS.pth``, through torch-fidelity."""

import hashlib
import io
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from monitor.errors import EvaluatorError
from monitor.evaluators.images import are_images, coloured
from monitor.protocol import Features, Samples
from monitor.quality.precision import whole_floats

#: The layer that FID and KID look at, and how many numbers it has.
LAYER, DIMENSION = "2048", 2048
#: Images of one run: at 299 px they take 0.3 GB on their way through the network.
MOST_PER_RUN = 32
#: Characters of torch's complaint that are told; it may list a thousand names of weights.
MOST_TOLD = 200


class InceptionFeatures:
    """Pool features of Inception v3 as TensorFlow trained it in 2015, which FID is defined by.

    The network, and its resizing of images to 299 px, are torch-fidelity's.

    Args:
        path: of the weights, a state dict: ``pt_inception-2015-12-05-6726825d.pth``. Nothing is
            downloaded, and a file with anything but tensors in it is refused.
        name: as it was asked for.
        device: the torch device it runs on.

    Attributes:
        head: (1008, 2048) weights of its classes, without their biases, as the Inception score
            has them.

    Raises:
        EvaluatorError: torch-fidelity or the file is missing, or these are other weights.
    """

    aligns = False
    dimension: int | None = DIMENSION

    def __init__(self, path: Path, name: str, device: str) -> None:
        self.name, self.provider = name, device
        network, self.sha256 = _load(path)
        self.head: NDArray[np.float32] | None = network.fc.weight.numpy().copy()
        # Version 0.3 leaves this to its callers: BatchNorm would see the batch.
        self._network = network.to(device).eval()

    def features(self, samples: Samples) -> Features:
        """(n, 2048) float32, ≥ 0.

        Raises:
            EvaluatorError: these are no images, or a feature is not finite.
        """
        if not are_images(samples):
            raise EvaluatorError(
                f"samples are {samples.dtype} {samples.shape[1:]}; {self.name} takes uint8 "
                "(1 or 3, H, W)"
            )
        starts = range(0, len(samples), MOST_PER_RUN)
        values = np.concatenate([self._run(samples[i : i + MOST_PER_RUN]) for i in starts])
        if not np.isfinite(values).all():
            raise EvaluatorError(f"{self.name} gives a number that is not finite")
        return Features(values)

    @torch.inference_mode()
    def _run(self, piece: Samples) -> NDArray[np.float32]:
        # A copy: samples of a frame cannot be written, and torch warns of that.
        images = torch.from_numpy(coloured(piece).copy()).to(self.provider)
        with whole_floats(images.device):
            values: NDArray[np.float32] = self._network(images)[0].cpu().numpy()
        return values


def _load(path: Path) -> tuple[Any, str]:
    """The network with these weights, and their SHA-256."""
    try:
        from torch_fidelity import feature_extractor_inceptionv3 as library
    except ImportError as error:
        raise EvaluatorError(
            f"inception: needs torch-fidelity ({error}): pip install 'sqd-monitor[inception]'"
        ) from error
    try:
        content = path.read_bytes()
    except OSError as error:
        raise EvaluatorError(
            f"no Inception weights at {path} ({error.strerror}); nothing is downloaded unasked: "
            f"get {library.URL_INCEPTION_V3}"
        ) from error
    tensors_alone = io.BytesIO()
    torch.save(_tensors(path, content), tensors_alone)
    tensors_alone.seek(0)
    try:
        network = library.FeatureExtractorInceptionV3("inception", [LAYER], tensors_alone)
    except Exception as error:  # tensors of any names, or something else made of tensors
        told = " ".join(str(error).split())[:MOST_TOLD]
        raise EvaluatorError(f"{path} has no weights of FID's Inception network: {told}") from error
    return network, hashlib.sha256(content).hexdigest()


def _tensors(path: Path, content: bytes) -> Any:
    """What lies in the file, if it is tensors; the library would run whatever code lies there."""
    try:
        return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # whatever parsers of foreign files raise is the file's fault
        # Torch's own words tell how to run the code.
        raise EvaluatorError(
            f"{path} is no file of weights, or has more than tensors in it, which is never loaded"
        ) from error
