"""Keys: whatever a name holds, it stays in its place, and names that differ never meet."""

import re

from hypothesis import assume, given

from tests.trainer_hooks.test_names import legal
from trainer_hooks import keys


@given(legal)
def test_names_come_back_out_of_keys(name: str) -> None:
    key = keys.of_run(name, "meta")
    assert keys.decode(key.split(":")[3]) == name
    assert re.fullmatch(r"sqd:\{0\}:run:[^:{}*?\[\]\\ ]+:meta", key)


@given(legal, legal)
def test_names_that_differ_never_share_a_key(left: str, right: str) -> None:
    assume(left != right)
    made = (keys.meta, keys.segments, keys.rows, keys.outstanding, keys.outstanding_bytes)
    assert not {make(left) for make in made} & {make(right) for make in made}
    for name in (left, right):
        assert keys.column(name, "s", "weights", 0, "a") != keys.column(
            name, "s", "weights", 0, "b"
        )
    assert keys.column("run", "s", "k", 0, left) != keys.column("run", "s", "k", 0, right)


@given(legal, legal)
def test_pattern_of_a_run_matches_its_keys_alone(left: str, right: str) -> None:
    assume(left != right)
    pattern = re.compile(re.escape(keys.run_pattern(left)).replace(r"\*", ".*"))
    assert pattern.fullmatch(keys.column(left, "s", "weights", 3, "S.G/main.0:weight"))
    assert not pattern.fullmatch(keys.meta(right))
    blobs = re.compile(re.escape(keys.blob_pattern(left)).replace(r"\*", ".*"))
    assert blobs.fullmatch(keys.blob(left, "seg-weights-0-0"))
    assert not blobs.fullmatch(keys.blob(right, "seg-weights-0-0"))


@given(legal)
def test_keys_that_one_script_touches_share_a_hash_tag(name: str) -> None:
    shard = keys.shard_of(name)
    touched = [
        keys.segments(name), keys.meta(name), keys.rows(name), keys.alerts(name),
        keys.jobs(shard, "fast"), keys.jobs(shard, "samples"), keys.shard_events(shard),
        keys.parts(name, "s", 1), keys.column(name, "s", "weights", 0, name),
        keys.control(name), keys.members(name), keys.waiting_rows(name, "s"),
        keys.waiting_points(shard),
        keys.weight_parts(name, "s", name, 0, 1), keys.settled_calls(name, "s", name, 0, 0),
    ]  # fmt: skip
    assert {re.findall(r"\{(.*?)\}", key)[0] for key in touched} == {str(shard)}
