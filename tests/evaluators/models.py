"""Small ONNX networks, made for a test."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

OPSET, IR_VERSION = 17, 8


def save_linear(
    path: Path,
    matrix: NDArray[np.float32],
    shape: list[int | str],
    *,
    softmax: bool = False,
    declared: list[int | str] | None = None,
) -> Path:
    """A network that flattens its input and multiplies it by a matrix."""
    flat = helper.make_node("Flatten", ["input"], ["flat"])
    product = helper.make_node("MatMul", ["flat", "matrix"], ["rows" if softmax else "output"])
    nodes = [flat, product]
    if softmax:
        nodes.append(helper.make_node("Softmax", ["rows"], ["output"], axis=1))
    columns = int(matrix.shape[1])
    return save(path, nodes, shape, declared or ["N", columns], {"matrix": matrix})


def save(
    path: Path,
    nodes: list[Any],
    shape: list[int | str],
    declared: list[int | str] | None,
    constants: dict[str, NDArray[Any]] | None = None,
    kind: int = TensorProto.FLOAT,
    result: int = TensorProto.FLOAT,
) -> Path:
    """A network from ``input`` of that shape to ``output`` of the declared one."""
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("input", kind, shape)],
        [helper.make_tensor_value_info("output", result, declared)],
        [numpy_helper.from_array(value, name) for name, value in (constants or {}).items()],
    )
    opset = [helper.make_opsetid("", OPSET)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=IR_VERSION), path)
    return path
