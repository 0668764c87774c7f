"""onnxruntime sessions: on which device, in how much of its memory, and run on torch tensors."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

#: onnxruntime's level for errors alone; some exports declare their batch wrongly and warn always.
ERRORS_ONLY = 3
#: Bytes of a GPU's memory that torch, and as many again that a session, may hold unless told:
#: MTCNN takes some 2 GiB of it at its default piece, an R50 with 256 faces as much.
MAX_GPU_BYTES = 3 * 2**30
CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"


def session_options() -> Any:
    """Options of a session that shares its cores."""
    from onnxruntime import SessionOptions

    options = SessionOptions()
    # As many threads as torch has: two full pools on the same cores slow each other down.
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = ERRORS_ONLY
    return options


def providers(device: str | torch.device, max_gpu_bytes: int = MAX_GPU_BYTES) -> list[Any]:
    """Execution providers to ask for, the CPU's last: it stands in where there is no other.

    Args:
        device: a torch device.
        max_gpu_bytes: of its memory that the session may hold; a training runs beside it.
    """
    from onnxruntime import get_available_providers

    where = torch.device(device)
    if where.type != "cuda" or CUDA not in get_available_providers():
        return [CPU]
    options = {
        "device_id": where.index or 0,
        "gpu_mem_limit": max_gpu_bytes,
        # The default doubles what it takes each time, and tries every algorithm with its workspace.
        "arena_extend_strategy": "kSameAsRequested",
        "cudnn_conv_algo_search": "HEURISTIC",
        # The default keeps 10 bits of each factor: a face between two modes is another one's then.
        "use_tf32": 0,
    }
    return [(CUDA, options), CPU]


def steadfast(session: Any) -> Any:
    """The session, which raises where its device fails; as it comes it would go on on the CPU for
    good, and tell nobody."""
    session.disable_fallback()
    return session


def run_bound(session: Any, values: Tensor, dimension: int) -> Tensor:
    """A session's one output for values that are on its device, and stay there.

    Args:
        session: of a network with one input (N, …) and one output (N, d), both float32.
        values: (N, …) float32.
        dimension: d.

    Returns:
        (N, d) float32 on the device of `values`.
    """
    values = values.contiguous()
    output = torch.empty(len(values), dimension, device=values.device)
    index = values.device.index or 0
    bound = session.io_binding()
    [taken], [given] = session.get_inputs(), session.get_outputs()
    for bind, name, tensor in (
        (bound.bind_input, taken.name, values),
        (bound.bind_output, given.name, output),
    ):
        shape = tuple(tensor.shape)
        bind(name, values.device.type, index, np.float32, shape, tensor.data_ptr())
    if values.is_cuda:
        # onnxruntime has a stream of its own, and knows nothing of what torch's still does.
        torch.cuda.current_stream(values.device).synchronize()
    session.run_with_iobinding(bound)
    bound.synchronize_outputs()
    return output
