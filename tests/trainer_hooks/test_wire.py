"""Frames to bytes and back: pinned bytes, every shape and dtype, limits on both ways."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray

from monitor.worker.sample_frames import samples_frame
from monitor.worker.weight_frames import weights_frame
from tests.golden.frames import golden_frames, path_of
from trainer_hooks import wire
from trainer_hooks.errors import WireError
from trainer_hooks.wire import Frame, decode, encode

GOLDEN = golden_frames()
#: Everything that a frame's header may hold.
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False,
    allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)  # fmt: skip
headers = st.dictionaries(
    st.text().filter(lambda name: name not in ("version", "kind")), json_values, max_size=5
)
dtypes = st.sampled_from([np.uint8, np.int32, np.int64, np.float32, np.float64])
tensors = st.dictionaries(
    st.text(max_size=20).filter(lambda name: name != "__metadata__"),
    dtypes.flatmap(lambda dtype: arrays(dtype, array_shapes(min_dims=0, max_dims=6, min_side=0))),
    max_size=5,
)


def same_tensors(left: dict[str, NDArray[Any]], right: dict[str, NDArray[Any]]) -> bool:
    return left.keys() == right.keys() and all(
        left[name].dtype == right[name].dtype
        and left[name].shape == right[name].shape
        and left[name].tobytes() == right[name].tobytes()
        for name in left
    )


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_bytes_are_written(name: str) -> None:
    assert encode(GOLDEN[name]) == path_of(name).read_bytes()


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_bytes_are_read(name: str) -> None:
    frame = decode(path_of(name).read_bytes())
    assert (frame.kind, frame.header) == (GOLDEN[name].kind, GOLDEN[name].header)
    assert same_tensors(frame.tensors, GOLDEN[name].tensors)
    (weights_frame if frame.kind == "weights" else samples_frame)(frame)


def test_layout_is_as_documented() -> None:
    # docs/wire-format.md: length, header, tensors; nothing else.
    data = path_of("samples").read_bytes()
    length = int.from_bytes(data[:8], "little")
    assert length % 8 == 0
    assert data[8:9] == b"{"
    assert data[8 + length :] == bytes(range(24))


@given(st.sampled_from(["weights", "samples"]), headers, tensors)
def test_every_frame_comes_back(
    kind: wire.Kind, header: dict[str, Any], arrays_: dict[str, NDArray[Any]]
) -> None:
    frame = Frame(kind, header, arrays_)
    data = encode(frame)
    back = decode(data)
    assert (back.kind, back.header) == (kind, header)
    assert same_tensors(back.tensors, arrays_)
    assert encode(back) == data


def test_headers_cannot_pretend_another_kind_or_version() -> None:
    back = decode(encode(Frame("weights", {"kind": "samples", "version": 99})))
    assert (back.kind, back.header) == ("weights", {})


def test_views_are_written_in_order() -> None:
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    back = decode(encode(Frame("weights", {}, {"w": array.T, "v": array[:, ::2]})))
    assert back.tensors["w"].tolist() == array.T.tolist()
    assert back.tensors["v"].tolist() == array[:, ::2].tolist()


@pytest.mark.parametrize("dtype", ["float16", "bool", "int8", "complex64", "U3", "O", ">i2"])
def test_dtypes_that_frames_do_not_hold(dtype: str) -> None:
    with pytest.raises(WireError, match="dtype"):
        encode(Frame("weights", {}, {"w": np.zeros(2, dtype)}))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), b"bytes"])
def test_headers_that_are_no_json(value: Any) -> None:
    with pytest.raises(WireError, match="JSON"):
        encode(Frame("weights", {"x": value}))


def test_frames_beyond_the_limits_are_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(WireError, match="at most 6"):
        encode(Frame("weights", {}, {"w": np.zeros((1,) * 7, np.float32)}))
    many = {str(i): np.zeros(1, np.uint8) for i in range(wire.MAX_TENSORS + 1)}
    with pytest.raises(WireError, match="tensors; the limit"):
        encode(Frame("weights", {}, many))
    with pytest.raises(WireError, match="header claims"):
        encode(Frame("weights", {"x": "a" * (wire.MAX_HEADER_BYTES + 1)}))
    monkeypatch.setattr(wire, "MAX_FRAME_BYTES", 1000)
    with pytest.raises(WireError, match="over the limit of 1000"):
        encode(Frame("weights", {}, {"w": np.zeros(1001, np.uint8)}))
