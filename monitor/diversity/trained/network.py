"""A small network for images of any domain: N×3×S×S in, N×256 out, 5 MB of weights."""

from torch import Tensor, nn

from monitor.diversity.faces100.network import convolution

#: Length of a feature.
DIMENSION = 256
#: Channels of the stages; each but the first halves the side.
CHANNELS = (32, 64, 128, 256)


class TrainedNetwork(nn.Module):
    """Four stages of two convolutions, their mean over the image, one feature."""

    def __init__(self) -> None:
        super().__init__()
        stages, before = [], 3
        for number, channels in enumerate(CHANNELS):
            stages += [
                convolution(before, channels, stride=2 if number else 1),
                convolution(channels, channels),
            ]
            before = channels
        self.stages = nn.Sequential(*stages)
        self.head = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(before, DIMENSION, bias=False),
            nn.BatchNorm1d(DIMENSION),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Features of images.

        Args:
            images: (N, 3, S, S) float32 RGB, 0 … 1, as ``--embedder onnx:`` feeds them.

        Returns:
            (N, 256) float32, not normalised.
        """
        features: Tensor = self.head(self.stages(2 * images - 1))
        return features
