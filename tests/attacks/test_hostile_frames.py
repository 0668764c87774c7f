"""Bytes that lie: every one is a WireError, nothing is allocated by what they claim, no crash."""

import contextlib
import json
import pickle
import struct
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from monitor.worker.sample_frames import samples_frame
from monitor.worker.weight_frames import weights_frame
from tests.golden.frames import golden_frames, path_of
from trainer_hooks import wire
from trainer_hooks.errors import WireError
from trainer_hooks.wire import decode

GOLDEN = {name: path_of(name).read_bytes() for name in golden_frames()}
OURS = {"version": wire.VERSION, "kind": "weights"}
WORD = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
#: Most memory that refusing a small frame may take, bytes, whatever it claims.
MODEST_BYTES = 2**20


def frame_bytes(
    tensors: Any = None, body: bytes = b"\0" * 8, *, ours: Any = OURS, metadata: Any = None
) -> bytes:
    """A frame whose parts are as hostile as wanted."""
    text = ours if isinstance(ours, str) else json.dumps(ours)
    header: dict[str, Any] = {"__metadata__": {"sqd": text} if metadata is None else metadata}
    header.update({"w": WORD} if tensors is None else tensors)
    return with_header(json.dumps(header).encode(), body)


def with_header(header: bytes, body: bytes = b"", length: int | None = None) -> bytes:
    return struct.pack("<Q", len(header) if length is None else length) + header + body


def entry(**changes: Any) -> dict[str, Any]:
    return {"w": {**WORD, **changes}}


def test_frame_of_these_tests_is_good_until_something_is_changed() -> None:
    assert decode(frame_bytes()).tensors["w"].shape == (2,)


@pytest.mark.parametrize("version", [0, 2, "1", 1.0, True, None, [1], "x" * 10_000])
def test_other_versions(version: Any) -> None:
    with pytest.raises(WireError, match="version") as caught:
        decode(frame_bytes(ours={**OURS, "version": version}))
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("kind", ["", "Weights", None, 1, ["weights"], {}])
def test_unknown_kinds(kind: Any) -> None:
    with pytest.raises(WireError, match="unknown kind"):
        decode(frame_bytes(ours={**OURS, "kind": kind}))


@pytest.mark.parametrize("missing", ["version", "kind"])
def test_missing_version_or_kind(missing: str) -> None:
    with pytest.raises(WireError, match=missing):
        decode(frame_bytes(ours={k: v for k, v in OURS.items() if k != missing}))


@pytest.mark.parametrize(
    "metadata", [{}, None, [], "sqd", {"sqd": 1}, {"sqd": None}, {"sqd": {}}, {"SQD": "{}"}]
)
def test_missing_header_of_ours(metadata: Any) -> None:
    data = with_header(json.dumps({"__metadata__": metadata, "w": WORD}).encode(), b"\0" * 8)
    with pytest.raises(WireError, match="no sqd header"):
        decode(data)


@pytest.mark.parametrize("ours", ["", "[]", "1", "null", "{", "{'a': 1}", '{"time": NaN}', "\0"])
def test_header_of_ours_that_is_no_json_object(ours: str) -> None:
    with pytest.raises(WireError, match="JSON"):
        decode(frame_bytes(ours=ours))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0",
        b"\0" * 7,
        b"\0" * 8,
        b"\xff" * 8,
        b"\xff" * 100,
        with_header(b"{}", length=3),
        with_header(b"{}", length=2**63),
        with_header(b"{}", length=wire.MAX_HEADER_BYTES),
        with_header(b"{}", length=wire.MAX_HEADER_BYTES + 1),
        with_header(b"{}", length=0),
        with_header(b"[]"),
        with_header(b"null"),
        with_header(b'"text"'),
        with_header(b"\xff\xfe"),
        with_header(b"{"),
        with_header(b"{}garbage"),
        with_header(b'{"a":' * 100_000),
        with_header(b"[" * 1_000_000),
        with_header(b'{"w": ' + b"9" * 10_000 + b"}"),
        with_header(b'{"w": Infinity}'),
    ],
    ids=range(21),
)
def test_headers_that_lie_or_are_none(data: bytes) -> None:
    with pytest.raises(WireError):
        decode(data)


@pytest.mark.parametrize("name", GOLDEN)
def test_cut_at_every_byte(name: str) -> None:
    for length in range(len(GOLDEN[name])):
        with pytest.raises(WireError):
            decode(GOLDEN[name][:length])


@pytest.mark.parametrize("name", GOLDEN)
def test_something_behind_the_end(name: str) -> None:
    with pytest.raises(WireError):
        decode(GOLDEN[name] + b"\0")


@pytest.mark.parametrize("dtype", ["F16", "BF16", "BOOL", "I8", "f32", "", None, 1, [], "x" * 9999])
def test_unknown_dtypes(dtype: Any) -> None:
    with pytest.raises(WireError, match="dtype") as caught:
        decode(frame_bytes(entry(dtype=dtype)))
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    "shape",
    [
        [-2],
        [-1, -2],
        [2.0],
        ["2"],
        [True, 2],
        [None],
        [[2]],
        2,
        "2",
        None,
        {},
        [1] * 7,
        [3],
        [1],
        [0],
        [],
        [2**62],
        [2**31, 2**31, 2**31],
        [2**64],
        [10**30],
        [0, 2**62, 2**62],
        [10**30, 0],
    ],
)
def test_shapes_that_lie(shape: Any) -> None:
    assert_refused_cheaply(frame_bytes(entry(shape=shape)))


@pytest.mark.parametrize(
    "offsets",
    [
        [0, 4],
        [0, 9],
        [0, 16],
        [4, 12],
        [1, 9],
        [8, 0],
        [-8, 0],
        [0, 2**63],
        [2**63, 2**63 + 8],
        [0.0, 8.0],
        ["0", "8"],
        [0],
        [0, 8, 16],
        [],
        None,
        8,
    ],
)
def test_offsets_that_lie(offsets: Any) -> None:
    assert_refused_cheaply(frame_bytes(entry(data_offsets=offsets)))


def test_tensors_that_overlap_or_leave_gaps() -> None:
    for first, second in (([0, 8], [0, 8]), ([0, 8], [4, 12]), ([0, 8], [12, 20]), ([8, 16],) * 2):
        tensors = {"w": {**WORD, "data_offsets": first}, "v": {**WORD, "data_offsets": second}}
        assert_refused_cheaply(frame_bytes(tensors, b"\0" * 20))


@pytest.mark.parametrize("value", [None, [], 1, "F32", {}, {"dtype": "F32"}, {"shape": [2]}])
def test_entries_that_are_none(value: Any) -> None:
    assert_refused_cheaply(frame_bytes({"w": value}))


def test_names_given_twice() -> None:
    word, text = json.dumps(WORD), json.dumps(json.dumps(OURS))
    twice = f'{{"__metadata__": {{"sqd": {text}}}, "w": {word}, "w": {word}}}'
    with pytest.raises(WireError, match="given twice"):
        decode(with_header(twice.encode(), b"\0" * 8))
    with pytest.raises(WireError, match="given twice"):
        decode(frame_bytes(ours='{"version": 1, "version": 2, "kind": "weights"}'))


def test_too_many_tensors() -> None:
    empty = {"dtype": "U8", "shape": [0], "data_offsets": [0, 0]}
    tensors = {str(i): empty for i in range(wire.MAX_TENSORS + 1)}
    with pytest.raises(WireError, match=f"the limit is {wire.MAX_TENSORS}"):
        decode(frame_bytes(tensors, b""))


def test_frame_beyond_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "MAX_FRAME_BYTES", 100)
    monkeypatch.setattr(wire, "MAX_HEADER_BYTES", 100)
    with pytest.raises(WireError, match="over the limit"):
        decode(b"\0" * 201)


class Bomb:
    """Runs when it is unpickled."""

    def __reduce__(self) -> Any:
        return exec, ("raise SystemExit('unpickled')",)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickles_are_never_opened(protocol: int) -> None:
    data = pickle.dumps(Bomb(), protocol)
    for hostile in (data, with_header(data), frame_bytes(body=data), frame_bytes(ours=repr(data))):
        with pytest.raises(WireError):
            decode(hostile)


def test_claims_cost_no_memory() -> None:
    for hostile in (
        with_header(b"{}", length=wire.MAX_HEADER_BYTES),
        frame_bytes(entry(shape=[2**28], data_offsets=[0, 2**30])),
        frame_bytes(entry(shape=[2**14, 2**14], data_offsets=[0, 2**30])),
    ):
        assert_refused_cheaply(hostile)


def assert_refused_cheaply(data: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(WireError) as caught:
            decode(data)
        assert tracemalloc.get_traced_memory()[1] < MODEST_BYTES
    finally:
        tracemalloc.stop()
    assert len(str(caught.value)) < 1000


def read(data: bytes) -> None:
    """Open bytes as the worker does; anything but a WireError is a crash."""
    with contextlib.suppress(WireError):
        frame = decode(data)
        (weights_frame if frame.kind == "weights" else samples_frame)(frame)


@settings(max_examples=400)
@given(st.binary(max_size=300))
@example(b"")
def test_any_bytes(data: bytes) -> None:
    read(data)
    read(with_header(data))


@settings(max_examples=600)
@given(
    st.sampled_from(sorted(GOLDEN)),
    st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), min_size=1, max_size=6),
)
def test_changed_bytes(name: str, changes: list[tuple[int, int]]) -> None:
    data = bytearray(GOLDEN[name])
    for place, value in changes:
        data[place % len(data)] = value
    read(bytes(data))


@settings(max_examples=300)
@given(
    st.sampled_from(sorted(GOLDEN)),
    st.integers(0, 2000),
    st.integers(0, 60),
    st.binary(max_size=60),
)
def test_spliced_bytes(name: str, place: int, removed: int, added: bytes) -> None:
    data = GOLDEN[name]
    place %= len(data)
    read(data[:place] + added + data[place + removed :])


@settings(max_examples=400)
@given(st.data())
def test_changed_headers_with_honest_lengths(data: st.DataObject) -> None:
    # Random bytes rarely get past the length; these do.
    golden = GOLDEN[data.draw(st.sampled_from(sorted(GOLDEN)))]
    length = int.from_bytes(golden[:8], "little")
    header = bytearray(golden[8 : 8 + length])
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(header) - 1))
        header[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
    read(with_header(bytes(header), golden[8 + length :]))


def test_bytes_stay_what_they_are() -> None:
    # A worker may keep the arrays of a frame while the next arrives.
    data = bytearray(GOLDEN["samples"])
    frame = decode(bytes(data))
    data[-24:] = b"\xff" * 24
    assert np.array_equal(frame.tensors["samples"].ravel(), np.arange(24))
