"""Stands for insightface's model of an ArcFace network, and for its onnxruntime session."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray


class StandIn:
    """A network whose features of raw crops a test writes down in `forward`."""

    input_shape = ("N", 3, 112, 112)
    input_mean, input_std = 0.0, 1.0
    input_name, output_names = "crops", ["feature"]

    @property
    def session(self) -> "StandIn":
        """It is its own."""
        return self

    def run(
        self, names: Sequence[str], inputs: Mapping[str, NDArray[np.float32]]
    ) -> list[NDArray[np.float32]]:
        """The outputs of these names."""
        assert list(names) == self.output_names
        return [self.forward(inputs[self.input_name])]

    def forward(self, crops: NDArray[np.float32]) -> NDArray[np.float32]:
        """(N, d) features of (N, 3, 112, 112) crops, 0 … 255."""
        raise NotImplementedError
