"""Point clouds: Q is the share of points within three standard deviations of a mode, D over them.

The modes of a mixture of Gaussians come from a JSON file that the worker is given:
``{"modes": [[2.0, 0.0], [0.0, 2.0]], "std": 0.02, "labels": ["east", "north"]}``; ``std`` is one
number or one a mode, ``labels`` may be left out.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.errors import EvaluatorError
from monitor.protocol import Features, Samples

#: Standard deviations within which a point belongs to a mode (Metz et al. 2017, "Unrolled GANs",
#: and those after them).
MOST_DEVIATIONS = 3.0
#: Seed of the points that stand for training data.
DRAW_SEED = 0
#: Points compared with all modes at a time.
CHUNK = 4096


class Mixture:
    """Modes of a mixture of isotropic Gaussians.

    Attributes:
        centres: (m, d) float64.
        deviations: (m,) float64, the standard deviation of each along every axis.
        labels: what to call each.
        sha256: of the file.

    Raises:
        EvaluatorError: the file is missing or says something else.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            content = path.read_bytes()
            said = json.loads(content)
            self.centres = np.array(said["modes"], np.float64)
            self.deviations = np.broadcast_to(
                np.array(said["std"], np.float64), len(self.centres)
            ).copy()
            self.labels = tuple(map(str, said.get("labels", range(len(self.centres)))))
        except OSError as error:
            raise EvaluatorError(f"no mixture at {path}: {error.strerror}") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise EvaluatorError(
                f'{path} is no mixture, {{"modes": [[x, y], …], "std": s}}: {error!r}'
            ) from error
        self._check()
        self.sha256 = hashlib.sha256(content).hexdigest()

    def _check(self) -> None:
        if self.centres.ndim != 2 or not self.centres.size:
            raise EvaluatorError(f"{self.path}: modes are {self.centres.shape}, not (m, d)")
        if not np.isfinite(self.centres).all() or not (self.deviations > 0).all():
            raise EvaluatorError(f"{self.path}: modes must be finite, standard deviations above 0")
        if len(self.labels) != len(self.centres):
            raise EvaluatorError(
                f"{self.path}: {len(self.labels)} labels for {len(self.centres)} modes"
            )

    def drawn(self, count: int) -> NDArray[np.float32]:
        """(count, d) points of the mixture, all modes alike; always the same."""
        rng = np.random.default_rng(DRAW_SEED)
        modes = rng.integers(len(self.centres), size=count)
        noise = rng.normal(size=(count, self.centres.shape[1]))
        points = self.centres[modes] + noise * self.deviations[modes, None]
        return points.astype(np.float32)

    def points(self, samples: Samples) -> NDArray[np.float32]:
        """Samples as (n, d) points.

        Raises:
            EvaluatorError: they have another dimension.
        """
        dimension = self.centres.shape[1]
        if samples.dtype != np.float32 or samples[:1].size != dimension:
            raise EvaluatorError(
                f"samples are {samples.dtype} {samples.shape[1:]}; {self.path.name} is about "
                f"float points ({dimension},)"
            )
        return samples.reshape(len(samples), dimension)


class PointScores:
    """Q: 1 for a point within three standard deviations of a mode, else 0.

    Args:
        mixture: the modes.
        name: as it was asked for.
    """

    provider = "cpu"

    def __init__(self, mixture: Mixture, name: str) -> None:
        self.name, self.sha256 = name, mixture.sha256
        self.settings: dict[str, Any] = {}
        self._mixture = mixture

    def score(self, samples: Samples) -> NDArray[np.float64]:
        """(n,) zeros and ones."""
        points = self._mixture.points(samples).astype(np.float64)
        reach = MOST_DEVIATIONS * self._mixture.deviations
        scores = np.empty(len(points))
        for start in range(0, len(points), CHUNK):
            part = points[start : start + CHUNK, None]
            distances = np.linalg.norm(part - self._mixture.centres, axis=2)
            scores[start : start + CHUNK] = (distances <= reach).any(axis=1)
        return scores


class PointFeatures:
    """A point is its own feature.

    Args:
        mixture: says how many numbers a point has.
        name: as it was asked for.
    """

    aligns = False
    head = None
    provider = "cpu"

    def __init__(self, mixture: Mixture, name: str) -> None:
        self.name, self.sha256 = name, mixture.sha256
        self.dimension: int | None = mixture.centres.shape[1]
        self._mixture = mixture

    def features(self, samples: Samples) -> Features:
        """(n, d) float32."""
        return Features(self._mixture.points(samples))
