"""The ArcFace loss (Deng et al., CVPR 2019): identities apart by an additive angular margin."""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, linear, normalize

#: Scale s of the logits. The paper's 64 is for 10⁵ identities; log(100) needs less.
SCALE = 32.0
#: Margin m in radians, the paper's value.
MARGIN_RAD = 0.5


class ArcFaceLoss(nn.Module):
    """Softmax over s·cos(θ_j), with the angle to the own identity's centre enlarged by m (eq 3).

    Args:
        dimension: length of a feature.
        identities: number of identities; each has one learned centre.
        generator: draws the first centres.
    """

    def __init__(self, dimension: int, identities: int, generator: torch.Generator) -> None:
        super().__init__()
        self.centres = nn.Parameter(torch.randn(identities, dimension, generator=generator))

    def forward(self, features: Tensor, identity: Tensor) -> Tensor:
        """Mean loss of a batch.

        Args:
            features: (N, d) float32, any length.
            identity: (N,) int64.

        Returns:
            () float32.
        """
        cosine = linear(normalize(features), normalize(self.centres))
        own = cosine.gather(1, identity[:, None])
        # cos(θ + m) by the sum formula: the derivative of arccos is infinite at θ = 0.
        sine = (1 - own.square()).clamp(min=torch.finfo(own.dtype).eps).sqrt()
        margined = own * math.cos(MARGIN_RAD) - sine * math.sin(MARGIN_RAD)
        # Beyond θ = π − m it would fall as θ grows; there the loss goes on along a line.
        beyond = own < -math.cos(MARGIN_RAD)
        target = torch.where(beyond, own - MARGIN_RAD * math.sin(MARGIN_RAD), margined)
        return cross_entropy(SCALE * cosine.scatter(1, identity[:, None], target), identity)
