"""A small ArcFace network: N×3×112×112 in, N×512 out, 1.4 MB of weights."""

from torch import Tensor, nn

#: Length of a feature, as in ArcFace's published networks.
DIMENSION = 512
#: The faces are 25×25 and GAN images 32×32, so 112×112 crops hold no more than 28×28 pixels.
_POOL = 4
#: Channels of the stages at 28×28, 14×14 and 7×7 pixels.
_CHANNELS = (32, 64, 128)
#: Side of the last feature map, in pixels.
_LAST_SIZE = 7


class Faces100Network(nn.Module):
    """Grey, normalised to its own mean and contrast, three stages, then one feature.

    Global depthwise convolution in place of a mean at the end: faces are aligned, so where
    something lies says who it is (MobileFaceNet, Chen et al. 2018).
    """

    def __init__(self) -> None:
        super().__init__()
        first, second, last = _CHANNELS
        self.pool = nn.AvgPool2d(_POOL)
        self.contrast = nn.InstanceNorm2d(1)
        self.stages = nn.Sequential(
            convolution(1, first),
            convolution(first, second, stride=2),
            convolution(second, second),
            convolution(second, last, stride=2),
            convolution(last, last),
        )
        self.head = nn.Sequential(
            nn.Conv2d(last, last, _LAST_SIZE, groups=last, bias=False),
            nn.BatchNorm2d(last),
            nn.Flatten(),
            nn.Linear(last, DIMENSION, bias=False),
            nn.BatchNorm1d(DIMENSION),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Features of crops.

        Args:
            images: (N, 3, 112, 112) float32 RGB, (x − 127.5)/127.5.

        Returns:
            (N, 512) float32, not normalised.
        """
        grey = self.contrast(self.pool(images.mean(dim=1, keepdim=True)))
        features: Tensor = self.head(self.stages(grey))
        return features


def convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """A 3×3 convolution, normalised, with a learned slope below zero."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.PReLU(outputs),
    )
