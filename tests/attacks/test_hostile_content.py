"""Frames whose bytes are sound and whose content lies: the worker refuses each with a reason."""

import contextlib
import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.store.blocks import MOST_ROWS
from monitor.worker.sample_frames import samples_frame
from monitor.worker.weight_frames import weights_frame
from tests.golden.frames import golden_frames
from trainer_hooks.errors import WireError
from trainer_hooks.wire import Frame

GOLDEN = golden_frames()
Change = Callable[[dict[str, Any], dict[str, Any]], Any]


def changed(name: str, change: Change) -> Frame:
    """A golden frame with something changed in its header or tensors."""
    golden = GOLDEN[name]
    header = copy.deepcopy(golden.header)
    tensors = {name: array.copy() for name, array in golden.tensors.items()}
    change(header, tensors)
    return Frame(golden.kind, header, tensors)


def setting(part: str, *path: Any) -> Change:
    """Sets the last of `path` at the place that the others lead to, in header or tensors."""
    *place, key, value = path

    def change(header: dict[str, Any], tensors: dict[str, Any]) -> None:
        target: Any = header if part == "header" else tensors
        for step in place:
            target = target[step]
        target[key] = value

    return change


def removing(name: str) -> Change:
    """Removes an entry of the header."""
    return lambda header, tensors: header.pop(name)


def test_unchanged_frames_are_good() -> None:
    frame = weights_frame(GOLDEN["weights"])
    assert [network.name for network in frame.networks] == ["G", "D"]
    assert frame.scalars == {"loss.G": [(0, 0.25), (1, -np.inf)], "scalar.Q": [(1, 0.5)]}
    assert np.isnan(frame.rows.epoch[1])
    chunk = samples_frame(GOLDEN["samples"])
    assert (chunk.part, chunk.last, chunk.samples.shape) == (0, False, (2, 3, 2, 2))
    end = samples_frame(GOLDEN["samples-end"])
    assert (end.last, len(end.samples), end.failure[:10]) == (True, 0, "the sample")


I64 = np.int64
SNAPSHOTS = "network.0.snapshots"
PAIRS = "network.0.pairs"
WEIGHTS_LIES: dict[str, Change] = {
    "no networks": lambda h, t: h.pop("networks"),
    "no scalars": lambda h, t: h.pop("scalars"),
    "no failures": lambda h, t: h.pop("failures"),
    "networks are a number": setting("header", "networks", 3),
    "networks are text": setting("header", "networks", "GD"),
    "network is text": setting("header", "networks", ["G"]),
    "network twice": lambda h, t: h["networks"].append(h["networks"][0]),
    "network without name": lambda h, t: h["networks"][0].pop("name"),
    "network name empty": setting("header", "networks", 0, "name", ""),
    "network name long": setting("header", "networks", 0, "name", "G" * 129),
    "network name control": setting("header", "networks", 0, "name", "G\n"),
    "network name number": setting("header", "networks", 0, "name", 7),
    "network name of a tensor": setting("header", "networks", 0, "name", "G/main"),
    "network name of an epoch": setting("header", "networks", 0, "name", "G@epoch"),
    "unknown form": setting("header", "networks", 0, "form", "pickled"),
    "form is a list": setting("header", "networks", 0, "form", ["full"]),
    "full that is not": setting("header", "networks", 0, "tensors", 0, ["w", 9, 3]),
    "seed negative": setting("header", "networks", 0, "seed", -1),
    "seed text": setting("header", "networks", 0, "seed", "0"),
    "index elsewhere": setting("header", "networks", 0, "index", 9),
    "index negative": setting("header", "networks", 0, "index", -1),
    "index true": setting("header", "networks", 0, "index", True),
    "index path": setting("header", "networks", 0, "index", "0.pairs"),
    "tensors a number": setting("header", "networks", 0, "tensors", 4),
    "tensors text": setting("header", "networks", 0, "tensors", "abc"),
    "tensor too short": setting("header", "networks", 0, "tensors", 0, ["w", 3]),
    "tensor name twice": setting("header", "networks", 1, "tensors", 1, ["w", 2, 2]),
    "tensor name long": setting("header", "networks", 0, "tensors", 0, ["w" * 600, 3, 3]),
    "more numbers than weights": setting("header", "networks", 1, "tensors", 0, ["w", 1, 2]),
    "no numbers": setting("header", "networks", 1, "tensors", 0, ["w", 1000, 0]),
    "negative numbers": setting("header", "networks", 1, "tensors", 0, ["w", 1000, -2]),
    "huge numbers": setting("header", "networks", 1, "tensors", 0, ["w", 2**60, 2**60]),
    "fractional numbers": setting("header", "networks", 1, "tensors", 0, ["w", 1000, 2.0]),
    "width is another": setting("header", "networks", 1, "tensors", 0, ["w", 1000, 3]),
    "no snapshots": lambda h, t: t.pop(SNAPSHOTS),
    "no pairs": lambda h, t: t.pop(PAIRS),
    "snapshots float64": setting("tensors", SNAPSHOTS, np.zeros((2, 4))),
    "snapshots flat": setting("tensors", SNAPSHOTS, np.zeros(8, np.float32)),
    "snapshots of nothing": setting("tensors", SNAPSHOTS, np.zeros((0, 4), np.float32)),
    "pairs float": setting("tensors", PAIRS, np.zeros((1, 5))),
    "pairs narrow": setting("tensors", PAIRS, np.zeros((1, 4), I64)),
    "pairs flat": setting("tensors", PAIRS, np.zeros(5, I64)),
    "pair beyond snapshots": setting("tensors", PAIRS, np.array([[0, 2, 1, 0, 1]])),
    "pair before snapshots": setting("tensors", PAIRS, np.array([[-1, 1, 1, 0, 1]])),
    "pair beyond rows": setting("tensors", PAIRS, np.array([[0, 1, 2, 0, 1]])),
    "pair of unknown kind": setting("tensors", PAIRS, np.array([[0, 1, 1, 2, 1]])),
    "lag beyond counting": setting("tensors", PAIRS, np.array([[0, 1, 1, 0, 2**53]])),
    "lag of the lowest number": setting("tensors", PAIRS, np.array([[0, 1, 1, 0, -(2**63)]])),
    "more pairs than rows end": setting("tensors", PAIRS, np.array([[0, 1, 1, 0, 1]] * 5)),
    "no row numbers": lambda h, t: t.pop("row.seq"),
    "no times": lambda h, t: t.pop("row.time"),
    "rows of nothing": lambda h, t: t.update(
        {name: t[name][:0] for name in t if name.startswith("row.")}
    ),
    "rows differ in length": setting("tensors", "row.step", np.array([1], I64)),
    "rows are a table": lambda h, t: t.update(
        {name: t[name][None] for name in t if name.startswith("row.")}
    ),
    "row numbers float": setting("tensors", "row.seq", np.array([0.0, 1.0])),
    "row number negative": setting("tensors", "row.seq", np.array([-1, 0], I64)),
    "row number twice": setting("tensors", "row.seq", np.array([3, 3], I64)),
    "row number huge": setting("tensors", "row.seq", np.array([0, MOST_ROWS], I64)),
    "step negative": setting("tensors", "row.step", np.array([-1, 0], I64)),
    "step huge": setting("tensors", "row.step", np.array([0, 2**53], I64)),
    "step int32": setting("tensors", "row.step", np.array([0, 1], np.int32)),
    "time not finite": setting("tensors", "row.time", np.array([0.0, np.nan])),
    "epoch int": setting("tensors", "row.epoch", np.array([0, 1], I64)),
    "scalar twice": setting("header", "scalars", ["a", "a"]),
    "scalar name empty": setting("header", "scalars", ["", "b"]),
    "scalar name number": setting("header", "scalars", [1, "b"]),
    "scalar name control": setting("header", "scalars", ["a\x00", "b"]),
    "scalar name of a metric": setting("header", "scalars", ["S.G", "b"]),
    "scalar name Q": setting("header", "scalars", ["Q", "b"]),
    "scalar without values": setting("header", "scalars", ["a", "b", "c"]),
    "scalar names nested": setting("header", "scalars", [["a"], "b"]),
    "scalar beyond rows": setting("tensors", "scalar.0.row", np.array([0, 2], I64)),
    "scalar before rows": setting("tensors", "scalar.0.row", np.array([-1, 0], I64)),
    "scalar twice at a row": setting("tensors", "scalar.0.row", np.array([1, 1], I64)),
    "scalar rows float": setting("tensors", "scalar.0.row", np.array([0.0, 1.0])),
    "scalar values int": setting("tensors", "scalar.0.value", np.array([0, 1], I64)),
    "scalar values short": setting("tensors", "scalar.0.value", np.array([0.0])),
    "scalar values a table": lambda h, t: t.update(
        {"scalar.0.row": np.zeros((1, 2), I64), "scalar.0.value": np.zeros((1, 2))}
    ),
    "scalar of nothing": lambda h, t: t.update(
        {"scalar.0.row": np.zeros(0, I64), "scalar.0.value": np.zeros(0)}
    ),
    "failure text": setting("header", "failures", ["S.G"]),
    "failures are an object": setting("header", "failures", {"S.G": "no"}),
    "failure beyond rows": setting("header", "failures", 0, "row", 2),
    "failure row negative": setting("header", "failures", 0, "row", -1),
    "failure row fractional": setting("header", "failures", 0, "row", 0.5),
    "failure without metric": lambda h, t: h["failures"][0].pop("metric"),
    "failure without reason": lambda h, t: h["failures"][0].pop("reason"),
    "failure metric long": setting("header", "failures", 0, "metric", "S" * 600),
}
SAMPLES_LIES: dict[str, Change] = {
    "no samples": lambda h, t: t.pop("samples"),
    "samples float64": setting("tensors", "samples", np.zeros((2, 3, 2, 2))),
    "samples int32": setting("tensors", "samples", np.zeros((2, 3, 2, 2), np.int32)),
    "bytes of four channels": setting("tensors", "samples", np.zeros((2, 4, 2, 2), np.uint8)),
    "bytes of two dimensions": setting("tensors", "samples", np.zeros((2, 4), np.uint8)),
    "bytes of six dimensions": setting("tensors", "samples", np.zeros((1,) * 6, np.uint8)),
    "floats of one dimension": setting("tensors", "samples", np.zeros(2, np.float32)),
    "images of no height": setting("tensors", "samples", np.zeros((2, 1, 0, 4), np.uint8)),
    "seq negative": setting("header", "seq", -1),
    "seq huge": setting("header", "seq", MOST_ROWS),
    "seq fractional": setting("header", "seq", 1.0),
    "seq true": setting("header", "seq", True),
    "step negative": setting("header", "step", -1),
    "step huge": setting("header", "step", 2**53),
    "step text": setting("header", "step", "600"),
    "epoch text": setting("header", "epoch", "12"),
    "epoch huge": setting("header", "epoch", 10**400),
    "epoch a list": setting("header", "epoch", [1]),
    "time nothing": setting("header", "time", None),
    "time huge": setting("header", "time", 10**400),
    "time true": setting("header", "time", True),
    "part negative": setting("header", "part", -1),
    "part huge": setting("header", "part", 2**40),
    "last a number": setting("header", "last", 1),
    "last text": setting("header", "last", "false"),
    "more bad values than values": setting("header", "nonfinite", 25),
    "clipped negative": setting("header", "clipped", -1),
    **{f"no {name}": removing(name) for name in ("seq", "step", "epoch", "time", "part", "last")},
    **{f"no {name}": removing(name) for name in ("nonfinite", "clipped", "failure")},
}


@pytest.mark.parametrize("lie", WEIGHTS_LIES)
def test_weights_that_lie(lie: str) -> None:
    with pytest.raises(WireError) as caught:
        weights_frame(changed("weights", WEIGHTS_LIES[lie]))
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("lie", SAMPLES_LIES)
def test_samples_that_lie(lie: str) -> None:
    with pytest.raises(WireError) as caught:
        samples_frame(changed("samples", SAMPLES_LIES[lie]))
    assert len(str(caught.value)) < 1000


def test_texts_are_made_fit_for_a_line() -> None:
    reason = "line\nbreak \ud800" + "x" * 10_000
    frame = weights_frame(changed("weights", setting("header", "failures", 0, "reason", reason)))
    assert frame.failures[0][2].startswith("line break ?xxx")
    assert len(frame.failures[0][2]) == 500


def test_what_is_not_known_is_left_alone() -> None:
    # A newer hook of the same version may say more.
    frame = changed("samples", lambda h, t: (h.update(more=1), t.update(extra=np.zeros(1))))
    assert samples_frame(frame).rows.seq.tolist() == [3]


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)


@settings(max_examples=300)
@given(st.sampled_from(sorted(GOLDEN)), st.data())
def test_junk_anywhere_in_a_header(name: str, data: st.DataObject) -> None:
    def change(header: dict[str, Any], tensors: dict[str, Any]) -> None:
        target: Any = header
        key = data.draw(st.sampled_from(sorted(header)))
        while isinstance(target[key], dict | list) and target[key] and data.draw(st.booleans()):
            target = target[key]
            keys = sorted(target) if isinstance(target, dict) else list(range(len(target)))
            key = data.draw(st.sampled_from(keys))
        target[key] = data.draw(junk)

    frame = changed(name, change)
    with contextlib.suppress(WireError):
        (weights_frame if frame.kind == "weights" else samples_frame)(frame)
