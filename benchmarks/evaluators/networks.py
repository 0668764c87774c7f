"""Networks of the right size with random weights: they are timed, their numbers mean nothing."""

from pathlib import Path

import torch
from torch import Tensor, nn
from torchvision.models import inception_v3

from monitor.diversity.alignment import CROP_SIZE
from monitor.diversity.onnx_export import export_onnx

#: Blocks and channels of the four stages of IResNet-50 (insightface's R50).
BLOCKS, CHANNELS = (3, 4, 14, 3), (64, 128, 256, 512)
#: Side of its last feature map, and length of its feature.
LAST_SIDE, FEATURE = 7, 512


class Block(nn.Module):
    """Two convolutions, each normalised, around a shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.BatchNorm2d(inputs),
            nn.Conv2d(inputs, outputs, 3, 1, 1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.PReLU(outputs),
            nn.Conv2d(outputs, outputs, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.shortcut = nn.Conv2d(inputs, outputs, 1, stride) if stride > 1 else nn.Identity()

    def forward(self, images: Tensor) -> Tensor:
        sum_of_both: Tensor = self.layers(images) + self.shortcut(images)
        return sum_of_both


class IResNet50(nn.Module):
    """ArcFace's R50: N×3×112×112 to N×512, 6.3 G multiply-adds an image."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.PReLU(64)]
        inputs = CHANNELS[0]
        for count, outputs in zip(BLOCKS, CHANNELS, strict=True):
            strides = [2, *[1] * (count - 1)]
            for stride in strides:
                layers.append(Block(inputs, outputs, stride))
                inputs = outputs
        self.layers = nn.Sequential(*layers, nn.BatchNorm2d(inputs), nn.Flatten())
        self.last = nn.Linear(inputs * LAST_SIDE**2, FEATURE)

    def forward(self, images: Tensor) -> Tensor:
        """Features of images."""
        features: Tensor = self.last(self.layers(images))
        return features


def write_r50(folder: Path) -> Path:
    """IResNet-50 as an ONNX file, as a pack of insightface would hold it."""
    path = folder / "r50.onnx"
    torch.manual_seed(0)
    export_onnx(IResNet50().eval(), CROP_SIZE, path)
    return path


def inception() -> nn.Module:
    """FID's network: torchvision's Inception v3 up to its 2048 pooled features."""
    torch.manual_seed(0)
    network = inception_v3(weights=None, init_weights=False, aux_logits=False)
    network.fc = nn.Identity()
    return network.eval()
