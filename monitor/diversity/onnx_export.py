"""Trained networks to ONNX files."""

from importlib.util import find_spec
from pathlib import Path

import torch
from torch import nn

from monitor.errors import EmbedderError


def check_exporter() -> None:
    """Make sure that `export_onnx` can work, before somebody trains for hours.

    Raises:
        EmbedderError: onnxscript is missing, through which torch writes ONNX.
    """
    if find_spec("onnxscript") is None:
        raise EmbedderError(
            "ONNX files are written through onnxscript: pip install 'sqd-monitor[train]'"
        )


def export_onnx(network: nn.Module, side: int, path: Path) -> None:
    """Write a network of one input, ``images``, and one output, N free; no trace of this machine.

    Args:
        network: in evaluation mode, on the CPU; its argument is called ``images``.
        side: S of its N×3×S×S input.
        path: of the file.

    Raises:
        EmbedderError: onnxscript is missing, through which torch writes ONNX.
    """
    import onnx

    check_exporter()
    example = torch.zeros(2, 3, side, side)
    program = torch.onnx.export(
        network,
        (example,),
        input_names=["input"],
        output_names=["feature"],
        dynamic_shapes={"images": {0: torch.export.Dim("N")}},
        verbose=False,
    )
    assert program is not None
    model = program.model_proto
    # The exporter notes source paths and stack traces of every operation.
    graph = model.graph
    values = (*graph.input, *graph.output, *graph.value_info, *graph.initializer)
    for part in (model, graph, *graph.node, *values):
        del part.metadata_props[:]
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString(deterministic=True))
