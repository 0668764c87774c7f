"""Frames to bytes and back: the only module that knows the byte layout (docs/wire-format.md).

A frame is one safetensors file: u64 little-endian header length, JSON header, tensor bytes. Our own
header travels as JSON in ``__metadata__["sqd"]``. Bytes come from Redis and are not trusted: every
length, dtype, shape and count is checked against a limit before anything is allocated from it.
"""

import json
import math
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from trainer_hooks.errors import WireError

#: Version of the layout; a reader refuses any other.
VERSION = 1
#: Largest frame, bytes: the hooks' default budget; one frame never needs more.
MAX_FRAME_BYTES = 256 * 2**20
#: Largest header, bytes: 20,000 tensor names of 256 characters fit.
MAX_HEADER_BYTES = 8 * 2**20
#: Largest number of tensors in one frame: 64 networks and 1,000 scalars fit.
MAX_TENSORS = 4096
#: Highest rank of a tensor: samples of any (N, …) up to video batches.
MAX_RANK = 6
#: Bytes of the length that precedes the header.
LENGTH_BYTES = 8
#: Kinds of pairs of snapshots: adjacent pushes; last pushes of consecutive epochs.
STEP_PAIR, EPOCH_PAIR = 0, 1
#: Columns of the pair table: earlier and later snapshot, row, kind, lag in steps.
PAIR_COLUMNS = 5
#: Most ranks that one network may be spread over.
MOST_SHARDS = 65_536
#: The dtypes that frames hold: safetensors' names and sizes in bytes, by NumPy's names.
DTYPES = {
    "uint8": ("U8", 1),
    "int32": ("I32", 4),
    "int64": ("I64", 8),
    "float32": ("F32", 4),
    "float64": ("F64", 8),
}
ITEM_BYTES = dict(DTYPES.values())
#: Characters of foreign text that a message repeats.
QUOTED = 80

Kind = Literal["weights", "samples"]


@dataclass(frozen=True, slots=True)
class Frame:
    """One block on its way from trainer to worker.

    Attributes:
        kind: ``weights`` (rows of pushes: snapshots, pairs, scalars) or ``samples`` (a chunk).
        header: JSON object; run, segment and what the kind needs (docs/wire-format.md).
        tensors: arrays by name.
    """

    kind: Kind
    header: dict[str, Any]
    tensors: dict[str, NDArray[Any]] = field(default_factory=dict)


def encode(frame: Frame) -> bytes:
    """Bytes of a frame.

    Raises:
        WireError: the frame is larger than MAX_FRAME_BYTES, holds a dtype that frames do not, or
            its header is no JSON.
    """
    ours = {**frame.header, "version": VERSION, "kind": frame.kind}
    try:
        text = json.dumps(ours, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise WireError(f"a frame's header cannot be written as JSON: {error}") from error
    tensors = {name: np.asarray(array, order="C") for name, array in frame.tensors.items()}
    for name, array in tensors.items():
        if array.dtype.name not in DTYPES:
            raise WireError(f"tensor {name!r} has dtype {array.dtype}; allowed are {[*DTYPES]}")
    size = sum(array.nbytes for array in tensors.values()) + len(text)
    if size > MAX_FRAME_BYTES:
        raise WireError(f"a frame of {size} bytes is over the limit of {MAX_FRAME_BYTES}")
    data: bytes = save(tensors, metadata={"sqd": text})
    _check_layout(_read_header(data), len(data))
    return data


def decode(data: bytes) -> Frame:
    """The frame in `data`.

    Raises:
        WireError: truncated or lying header, unknown version or kind, a dtype, rank, count or size
            beyond the limits. Nothing is allocated by what the header claims.
    """
    header = _read_header(data)
    _check_layout(header, len(data))
    ours = _own_header(header)
    try:
        tensors = load(data)
    except (SafetensorError, ValueError, TypeError, KeyError, OverflowError) as error:
        raise WireError(f"not a valid safetensors frame: {error}") from error
    return Frame(ours.pop("kind"), ours, tensors)


def _read_header(data: bytes) -> dict[str, Any]:
    if len(data) > MAX_FRAME_BYTES + MAX_HEADER_BYTES:
        raise WireError(f"a frame of {len(data)} bytes is over the limit of {MAX_FRAME_BYTES}")
    if len(data) < LENGTH_BYTES:
        raise WireError(f"a frame of {len(data)} bytes has no room for its header's length")
    length = int.from_bytes(data[:LENGTH_BYTES], "little")
    if length > MAX_HEADER_BYTES:
        raise WireError(f"header claims {length} bytes; the limit is {MAX_HEADER_BYTES}")
    if length > len(data) - LENGTH_BYTES:
        raise WireError(f"header claims {length} bytes, but only {len(data) - LENGTH_BYTES} follow")
    return _json_object(data[LENGTH_BYTES : LENGTH_BYTES + length], "frame header")


def _json_object(text: bytes | str, what: str) -> dict[str, Any]:
    try:
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise WireError(f"{what} is no JSON: {error}") from error
    if not isinstance(value, dict):
        raise WireError(f"{what} is no JSON object")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # Of a name given twice, each reader might believe another half.
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a name is given twice in one object")
    return value


def _no_number(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON number")


def _own_header(header: dict[str, Any]) -> dict[str, Any]:
    metadata = header.get("__metadata__")
    text = metadata.get("sqd") if isinstance(metadata, dict) else None
    if not isinstance(text, str):
        raise WireError("frame has no sqd header")
    ours = _json_object(text, "sqd header")
    version = ours.pop("version", None)
    if type(version) is not int or version != VERSION:  # true == 1 in Python
        raise WireError(f"frame has version {_quoted(version)}; this program reads {VERSION}")
    if ours.get("kind") not in ("weights", "samples"):
        raise WireError(f"frame has unknown kind {_quoted(ours.get('kind'))}")
    return ours


def _check_layout(header: dict[str, Any], total_bytes: int) -> None:
    names = [name for name in header if name != "__metadata__"]
    if len(names) > MAX_TENSORS:
        raise WireError(f"frame holds {len(names)} tensors; the limit is {MAX_TENSORS}")
    claimed = sum(_tensor_bytes(name, header[name]) for name in names)
    if claimed > total_bytes:
        raise WireError(f"tensors claim {claimed} bytes in a frame of {total_bytes}")


def _tensor_bytes(name: str, entry: Any) -> int:
    dtype = entry.get("dtype") if isinstance(entry, dict) else None
    if not isinstance(dtype, str) or dtype not in ITEM_BYTES:
        raise WireError(f"{_quoted(name)} has dtype {_quoted(dtype)}; allowed: {[*ITEM_BYTES]}")
    shape = entry.get("shape")
    if not isinstance(shape, list) or len(shape) > MAX_RANK:
        raise WireError(f"{_quoted(name)} has no shape of at most {MAX_RANK} dimensions")
    if any(type(size) is not int or not 0 <= size <= MAX_FRAME_BYTES for size in shape):
        raise WireError(f"{_quoted(name)} has sizes that are not whole, 0 to {MAX_FRAME_BYTES}")
    return math.prod(shape) * ITEM_BYTES[dtype]


def _quoted(foreign: object) -> str:
    return repr(foreign)[:QUOTED]
