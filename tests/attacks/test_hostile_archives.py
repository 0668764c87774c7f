"""Archives that are damaged, lie, or were made to harm: one clear error each, and no key behind."""

import hashlib
import json
import math
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.cli.import_ import SHOW
from monitor.errors import ArchiveError
from monitor.store.archive.importing import MOST_HEAD_BYTES, MOST_ROWS, Show, import_run
from monitor.store.archive.records import (
    END,
    HEADER,
    ITEM,
    KEY,
    MAGIC,
    MOST_RECORD_BYTES,
    MOST_STRINGS,
    VERSION,
    Record,
)
from monitor.store.artifacts import read_modes
from monitor.store.connection import Store
from monitor.store.runs import delete_run, read_run
from monitor.types import Alert
from tests.store.posting import HISTOGRAM, keys_of
from trainer_hooks import keys

#: Seconds of the clock at which the run of these archives started and ended: long ago.
THEN = 1_700_000_000
SEGMENT = {"ordinal": 0, "started": THEN, "host": "box", "first_row": 0}
HASHES = {
    "meta": {
        "id": "demo", "started": f"{THEN}", "heartbeat": f"{THEN}", "finished": f"{THEN}",
        "segment": "seg", "tags": "[]", "config": "{}",
    },
    "rows": {
        "seg:weights": "1", "seg:first_step": "0", "seg:last_step": "0", "measured": "[]",
    },
    "segments": {"seg": json.dumps(SEGMENT)},
}  # fmt: skip
Change = Callable[[list[Record]], None]


def records() -> list[Record]:
    """A small run; the strings of keys and items in order."""
    found: list[Record] = [(HEADER, [json.dumps({"run": "demo", "listed": THEN}).encode()])]
    found += key("column:seg:weights:0:step", [b"\xff" * 8])
    found += key("events", [b"5-1", b"event", b"points", b"data", b"{}"])
    found += key("grids", [b"0:0", b"grid"])
    for part, fields in sorted(HASHES.items()):
        found += key(part, *([n.encode(), v.encode()] for n, v in sorted(fields.items())))
    found += key("waiting_rows:seg", [b"a", b"1.5"])
    return found


def key(part: str, *items: list[bytes], ttl: str = "0") -> list[Record]:
    return [(KEY, [part.encode(), ttl.encode()]), *((ITEM, item) for item in items)]


def encoded(found: list[Record], *, version: int = VERSION, checksum: bool = True) -> bytes:
    """An archive of these records, whatever they say."""
    data = MAGIC + struct.pack("<I", version) + b"".join(map(record, found))
    return data + (record((END, [hashlib.sha256(data).digest()])) if checksum else b"")


def record(one: Record) -> bytes:
    tag, strings = one
    return struct.pack("<cI", tag, len(strings)) + b"".join(
        struct.pack("<I", len(string)) + string for string in strings
    )


def put(found: list[Record], part: str, field: str, value: object) -> None:
    """Give a field of a hash another value."""
    told = value if isinstance(value, str) else json.dumps(value)
    at = next(i for i, (tag, s) in enumerate(found) if tag == KEY and s[0] == part.encode())
    for i, (_, strings) in enumerate(found[at + 1 :], at + 1):
        if strings[0] == field.encode():
            found[i] = (ITEM, [strings[0], told.encode("utf-8", "surrogatepass")])
            return
    raise AssertionError(f"no {field} in {part}")


def add(found: list[Record], part: str, *items: list[bytes], ttl: str = "0") -> None:
    """Insert a key where its name belongs."""
    after = [i for i, (tag, s) in enumerate(found) if tag == KEY and s[0] > part.encode()]
    at = after[0] if after else len(found)
    found[at:at] = key(part, *items, ttl=ttl)


def refused(store: Store, folder: Path, data: bytes, said: str) -> None:
    """The archive is refused for that reason, in one line, and Redis is as it was."""
    path = folder / "archive"
    path.write_bytes(data)
    before = keys_of(store)
    with pytest.raises(ArchiveError, match=said) as caught:
        import_run(store, path, SHOW)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1000
    assert keys_of(store) == before


def test_a_good_one_is_taken(store: Store, tmp_path: Path) -> None:
    (tmp_path / "archive").write_bytes(encoded(records()))
    assert import_run(store, tmp_path / "archive", SHOW).id == "demo"
    assert read_run(store, "demo").status == "finished"


def change(edit: Callable[[list[Record]], object]) -> bytes:
    found = records()
    edit(found)
    return encoded(found)


BYTES = {
    "empty": (b"", "no archive"),
    "another kind of file": (b"PK\x03\x04" + bytes(100), "no archive"),
    "line ends changed": (encoded(records()).replace(b"\n", b"\r\n"), "no archive"),
    "magic alone": (MAGIC, "truncated"),
    "unknown version": (encoded(records(), version=2), "version 2; this sqd reads version 1"),
    "no end": (encoded(records(), checksum=False), "truncated"),
    "more behind the end": (encoded(records()) + b"x", "1 bytes follow the end"),
    "another checksum": (encoded(records())[:-1] + b"\0", "checksum differs"),
    "no checksum": (encoded(records(), checksum=False) + record((END, [])), "checksum differs"),
    "unknown record": (encoded([*records(), (b"Z", [])]), "no record begins with b'Z'"),
    "no header": (encoded(records()[1:]), "does not begin with a header"),
    "header alone": (encoded(records()[:1]), "its last key holds nothing"),
    "two headers": (encoded([records()[0], *records()]), "where a key is expected"),
    "item without key": (encoded([records()[0], (ITEM, [b"x"])]), "where a key is expected"),
    "string that claims more than there is": (
        encoded([], checksum=False) + struct.pack("<cII", HEADER, 1, 2**20), "truncated",
    ),
    "string beyond the limit": (
        encoded([], checksum=False) + struct.pack("<cII", HEADER, 1, 2**32 - 1),
        f"claims 4,294,967,295 bytes; {MOST_RECORD_BYTES:,} are allowed",
    ),
    "more strings than go in": (
        encoded([], checksum=False) + struct.pack("<cI", HEADER, 2**32 - 1),
        f"4,294,967,295 strings; at most {MOST_STRINGS}",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BYTES)
def test_bytes_that_are_no_archive(store: Store, tmp_path: Path, name: str) -> None:
    refused(store, tmp_path, *BYTES[name])


HEADERS = {
    "no JSON": b"{",
    "nested": b"[" * 100_000,
    "list": b"[]",
    "no place": b'{"run": "demo"}',
    "no run": b'{"listed": 1}',
    "number as run": b'{"run": 5, "listed": 1}',
    "path as run": b'{"run": "../../etc", "listed": 1}',
    "key as run": b'{"run": "a\\u0000b", "listed": 1}',
    "half a character": b'{"run": "\\ud800", "listed": 1}',
    "long run": json.dumps({"run": "x" * 129, "listed": 1}).encode(),
    "place that is no number": b'{"run": "demo", "listed": "nan"}',
    "place before time": b'{"run": "demo", "listed": -1}',
    "place at the end of time": b'{"run": "demo", "listed": 1e999}',
}


@pytest.mark.parametrize("name", HEADERS)
def test_headers(store: Store, tmp_path: Path, name: str) -> None:
    data = encoded([(HEADER, [HEADERS[name]]), *records()[1:]])
    refused(store, tmp_path, data, "does not say which run|no time")


KEYS = {
    "another run's": (lambda f: add(f, "x:run:other:meta", [b"a", b"b"]), "no run has a key"),
    "climbing out": (lambda f: add(f, "meta}{1", [b"a", b"b"]), "no run has a key"),
    "glob": (lambda f: add(f, "*", [b"a", b"b"]), "no run has a key"),
    "nameless": (lambda f: f.__setitem__(1, (KEY, [b"", b"0"])), "not in order"),
    "no text": (lambda f: f.__setitem__(1, (KEY, [b"\xff", b"0"])), "is no key"),
    "without time to live": (lambda f: f.__setitem__(1, (KEY, [b"events"])), "is no key"),
    "lives too long": (lambda f: add(f, "parts:seg:1", [b"a", b"b"], ttl="999999999999"), "lives"),
    "lives before time": (lambda f: add(f, "parts:seg:1", [b"a", b"b"], ttl="-5"), "lives"),
    "twice": (lambda f: f.extend(key("waiting_rows:seg", [b"b", b"2"])), "there twice"),
    "out of order": (lambda f: f.extend(key("alerts", [b"b", b"2"])), "not in order"),
    "holds nothing": (lambda f: add(f, "alerts"), "holds nothing"),
}  # fmt: skip


@pytest.mark.parametrize("name", KEYS)
def test_keys(store: Store, tmp_path: Path, name: str) -> None:
    edit, said = KEYS[name]
    refused(store, tmp_path, change(edit), said)


ITEMS = {
    "string twice": ("column:seg:weights:1:step", [[b"a"], [b"b"]]),
    "string of two": ("column:seg:weights:1:step", [[b"a", b"b"]]),
    "empty string": ("column:seg:weights:1:step", [[b""]]),
    "chunk beyond its rows": ("column:seg:weights:1:step", [[bytes(32_769)]]),
    "hash of three": ("alerts", [[b"a", b"b", b"c"]]),
    "field twice": ("alerts", [[b"a", b"b"], [b"a", b"c"]]),
    "picture of no step": ("modes", [[b"x:y", b"{}"]]),
    "picture with a number without end": ("modes", [[b"1" * 5000 + b":1", b"{}"]]),
    "count of nothing": ("edits", [[b"all", b"x"]]),
    "score that is none": ("waiting_rows:a", [[b"a", b"nan"]]),
    "score of words": ("waiting_rows:a", [[b"a", b"x"]]),
    "member twice": ("waiting_rows:a", [[b"a", b"1"], [b"a", b"1"]]),
}


@pytest.mark.parametrize("name", ITEMS)
def test_items(store: Store, tmp_path: Path, name: str) -> None:
    part, items = ITEMS[name]
    refused(store, tmp_path, change(lambda f: add(f, part, *items)), "an item of|cannot be read")


EVENTS: dict[str, list[bytes]] = {
    "id from the end of time": [b"18446744073709551615-0", b"event", b"a", b"data", b"{}"],
    "id of words": [b"*", b"event", b"a", b"data", b"{}"],
    "id before the last": [b"5-1", b"event", b"a", b"data", b"{}"],
    "no name": [b"6-0", b"data", b"{}"],
    "no data": [b"6-0", b"event", b"a"],
    "data that is no JSON": [b"6-0", b"event", b"a", b"data", b"{"],
    "data without end": [b"6-0", b"event", b"a", b"data", b"[" * 100_000],
    "name that is no text": [b"6-0", b"event", b"\xff", b"data", b"{}"],
    "another field": [b"6-0", b"event", b"a", b"data", b"{}", b"more", b"x"],
    "field twice": [b"6-0", b"event", b"a", b"data", b"{}", b"data", b"{}"],
    "half a pair": [b"6-0", b"event", b"a", b"data"],
}


@pytest.mark.parametrize("name", EVENTS)
def test_events(store: Store, tmp_path: Path, name: str) -> None:
    def edit(found: list[Record]) -> None:
        at = next(i for i, (_, strings) in enumerate(found) if strings[0] == b"5-1")
        found.insert(at + 1, (ITEM, EVENTS[name]))

    refused(store, tmp_path, change(edit), "an item of 'events'")


#: Where another evaluator took over, as it is stored.
AT = '{"metric": "Q", "ordinal": 0, "row": 3, "step": 300, "time": 5.0}'
CHANGE = {"at": AT, "before": '{"evaluator": "a"}', "after": '{"evaluator": "b"}'}
RUNS: dict[str, tuple[str, str, object]] = {
    "another run inside": ("meta", "id", "other"),
    "segment that is not there": ("meta", "segment", "other"),
    "tags that are no JSON": ("meta", "tags", "["),
    "tags that are none": ("meta", "tags", {"a": 1}),
    "settings without end": ("meta", "config", "[" * 100_000),
    "half a character": ("meta", "config", '{"a": "\\ud800"}'),
    "start that is no number": ("meta", "started", "soon"),
    "start that nobody can be told": ("meta", "started", "nan"),
    "heartbeat that is no number": ("meta", "heartbeat", "x"),
    "segment that is none": ("segments", "seg", [1]),
    "segment without number": ("segments", "seg", {"started": THEN}),
    "segment that starts at no time": ("segments", "seg", {**SEGMENT, "started": "nan"}),
    "rows without end": ("rows", "seg:weights", str(MOST_ROWS + 1)),
    "rows beyond numbers": ("rows", "seg:weights", "1e999"),
    "rows before the first": ("rows", "seg:weights", "-5"),
    "change of measures that is none": ("rows", "measured", [{"at": "{}"}]),
    "change of measures at no place": ("rows", "measured", [{**CHANGE, "at": '{"row": "x"}'}]),
    "change of measures without words": ("rows", "measured", [{**CHANGE, "after": "[]"}]),
    "change of another metric": ("rows", "measured", [{**CHANGE, "at": AT.replace("Q", "S")}]),
    "first row beyond all": ("segments", "seg", {**SEGMENT, "first_row": 10**18}),
}


@pytest.mark.parametrize("name", RUNS)
def test_runs_that_nobody_could_look_at(store: Store, tmp_path: Path, name: str) -> None:
    """Otherwise the list of all runs would end with this one."""
    part, field, value = RUNS[name]
    data = change(lambda found: put(found, part, field, value))
    refused(store, tmp_path, data, "cannot be shown|what makes 'demo' a run")


@pytest.mark.parametrize("part", ["meta", "segments"])
def test_runs_without_what_makes_them_one(store: Store, tmp_path: Path, part: str) -> None:
    found = records()
    at = next(i for i, (tag, s) in enumerate(found) if tag == KEY and s[0] == part.encode())
    del found[at : at + 1 + len(HASHES[part])]
    refused(store, tmp_path, encoded(found), "lacks what makes 'demo' a run")


BROKEN = {
    "alert that is none": ("alerts", [b"a", b"{}"]),
    "alert that is no JSON": ("alerts", [b"a", b"{"]),
    "alert that is no text": ("alerts", [b"a", b"\xff"]),
    "point that is none": ("metrics", [b"Q", b"1|{}"]),
    "problem that is none": ("problems", [b"Q|failed", b"{}"]),
    "state that is no JSON": ("watch", [b"state", b"["]),
    "state of another kind": ("watch", [b"state", b"[1]"]),
    "request that is none": ("control", [b"stop.segment", b"seg"]),
}


@pytest.mark.parametrize("name", BROKEN)
def test_descriptions_that_cannot_be_read(store: Store, tmp_path: Path, name: str) -> None:
    part, item = BROKEN[name]
    data = change(lambda found: add(found, part, item))
    refused(store, tmp_path, data, "cannot be shown|is no text")


def test_change_of_measures_that_can_be_shown(store: Store, tmp_path: Path) -> None:
    data = change(lambda found: put(found, "rows", "measured", [CHANGE]))
    (tmp_path / "archive").write_bytes(data)
    [found] = import_run(store, tmp_path / "archive", SHOW).remeasured
    assert (found.metric, found.row, found.before, found.after) == ("Q", 3, "a", "b")


MODES: dict[str, object] = {
    "no JSON": "{",
    "no text": b"\xff",
    "brackets without end": "[" * 100_000,
    "no histogram": [1],
    "nothing": {},
    "counts that are none": {**HISTOGRAM, "counts": "many"},
    "counts that are missing": {k: v for k, v in HISTOGRAM.items() if k != "counts"},
    "expectation of words": {**HISTOGRAM, "expected": "much"},
    "expectation that is no number": {**HISTOGRAM, "expected": math.nan},
    "half a character": '{"embedder": "\\ud800", ' + json.dumps(HISTOGRAM)[1:].replace(
        '"embedder": "e", ', ""
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MODES)
def test_histograms_that_cannot_be_shown(store: Store, tmp_path: Path, name: str) -> None:
    value = MODES[name]
    stored = value if isinstance(value, str | bytes) else json.dumps(value)
    item = [b"0:400", stored if isinstance(stored, bytes) else stored.encode()]
    data = change(lambda found: add(found, "modes", item))
    refused(store, tmp_path, data, "^the mode histogram of step 400 in the archive cannot be shown")


def test_histogram_that_can_be_shown(store: Store, tmp_path: Path) -> None:
    item = [b"0:400", json.dumps(HISTOGRAM).encode()]
    (tmp_path / "archive").write_bytes(change(lambda found: add(found, "modes", item)))
    import_run(store, tmp_path / "archive", SHOW)
    assert read_modes(store, "demo", 400)["expected"] == [1.5, 1.5]


def test_mark_of_an_alert_that_is_none(store: Store, tmp_path: Path) -> None:
    alert = Alert("a", "demo", "quality", 1, 2, ("Q",), "warning", "Q fell.", 3.0)
    found = records()
    add(found, "alerts", [b"a", json.dumps(alert.as_dict()).encode()])
    add(found, "alert_marks", [b"a:resolved", b"5.5"])
    (tmp_path / "archive").write_bytes(encoded(found))
    assert import_run(store, tmp_path / "archive", SHOW).alerts[0]["resolved"] == 5.5
    delete_run(store, "demo")
    put(found, "alert_marks", "a:resolved", "{")
    refused(store, tmp_path, encoded(found), "cannot be shown")


def test_trainer_that_claims_to_live(store: Store, tmp_path: Path) -> None:
    found = records()
    at = next(i for i, (_, s) in enumerate(found) if s[0] == b"finished")
    del found[at]
    put(found, "meta", "heartbeat", str(store.now_s() + 1e6))
    refused(store, tmp_path, encoded(found), "claims that its trainer was heard")


def test_description_without_end(store: Store, tmp_path: Path) -> None:
    items = [[b"%06d" % i, b"x" * 2**20] for i in range(MOST_HEAD_BYTES // 2**20 + 1)]
    data = change(lambda found: add(found, "problems", *items))
    refused(store, tmp_path, data, "description has more than")


@pytest.mark.parametrize("name", ["string beyond the limit", "more strings than go in"])
def test_nothing_is_allocated_for_a_claim(store: Store, tmp_path: Path, name: str) -> None:
    tracemalloc.start()
    try:
        refused(store, tmp_path, *BYTES[name])
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(st.data())
def test_any_cut_and_any_changed_byte_is_noticed(
    store: Store, tmp_path: Path, data: st.DataObject
) -> None:
    whole = encoded(records())
    at = data.draw(st.integers(0, len(whole) - 1))
    refused(store, tmp_path, whole[:at], ".")
    changed = whole[at] ^ data.draw(st.integers(1, 255))
    refused(store, tmp_path, whole[:at] + bytes([changed]) + whole[at + 1 :], ".")


def test_file_that_changes_between_two_looks(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "archive"
    path.write_bytes(encoded(records()))
    found = records()
    put(found, "meta", "heartbeat", str(THEN + 1))

    def swap(_: object) -> None:
        path.write_bytes(encoded(found))

    before = keys_of(store)
    with pytest.raises(ArchiveError, match="changed while it was read"):
        import_run(store, path, Show(swap, swap))
    assert keys_of(store) == before


def test_what_is_no_file(store: Store, tmp_path: Path) -> None:
    for path, said in ((tmp_path, "directory"), (tmp_path / "absent", "No such file")):
        with pytest.raises(ArchiveError, match=f"cannot be read: .*{said}"):
            import_run(store, path, SHOW)
    with pytest.raises(ArchiveError, match="no archive"):
        import_run(store, Path("/dev/zero"), SHOW)
    assert keys_of(store) == {keys.BLOB_URL}
