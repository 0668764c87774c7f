"""Networks on a GPU in whole float32."""

import contextlib
from collections.abc import Iterator
from typing import Any

import torch

#: How torch before 2.9 is told to keep convolutions whole.
OLD_SETTING = ("allow_tf32", False)


@contextlib.contextmanager
def whole_floats(device: str | torch.device) -> Iterator[None]:
    """Convolutions and matrix products of a GPU in float32. As torch comes, convolutions keep 10
    bits of each factor (TF32), and a probability near a threshold is another than on a CPU; so do
    products where the environment or an evaluator of the user's asks for it.

    Args:
        device: where they run; on a CPU nothing is changed, which other threads would see.
    """
    if torch.device(device).type == "cpu":
        yield
        return
    # Since torch 2.9 each kind of operation has a setting, and the old one may refuse to be read.
    where: Any = getattr(torch.backends.cudnn, "conv", torch.backends.cudnn)
    name, exact = ("fp32_precision", "ieee") if hasattr(where, "fp32_precision") else OLD_SETTING
    convolutions, products = getattr(where, name), torch.get_float32_matmul_precision()
    setattr(where, name, exact)
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(products)
        setattr(where, name, convolutions)
