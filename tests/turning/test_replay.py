"""Recordings: what is read, and what a bad line says."""

import json
from pathlib import Path

import pytest

from monitor.errors import ReplayError, SettingsError
from monitor.turning.replay import parse, read_records, replay
from tests.turning.streams import batches, noisy, play, ramp

RECORDS = batches(D=noisy(1, [3.2] * 40 + ramp(3.2, 1.3, 10) + [1.3] * 20, 0.08))


def test_a_recording_gives_what_the_detector_found_online(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    lines = [json.dumps({"step": s, "epoch": None, "values": v}) for s, v in RECORDS]
    path.write_text("\n".join(lines) + "\n\n")
    found = list(replay(path))
    assert found == play(RECORDS)
    assert [point.kind for point in found] == ["diversity", "mode_collapse"]
    assert [point.kind for point in replay(path, sensitivity="low")] == ["mode_collapse"]


def test_epochs_nulls_and_missing_fields() -> None:
    lines = [
        '{"step": 3, "epoch": 1.5, "values": {"Q": null, "D": 3}}',
        '{"step": 4, "values": {}, "run": "x"}',
        '{"step": 5, "epoch": null, "values": {"S.G": NaN}}',
    ]
    first, second, third = read_records(lines, "x")
    assert (first.step, first.epoch, first.values) == (3, 1.5, {"Q": None, "D": 3.0})
    assert (second.epoch, second.values) == (None, {})
    assert str(third.values["S.G"]) == "nan"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "not JSON"),
        ("[1]", "a JSON object is needed, not a list"),
        ('{"values": {}}', '"step" must be a whole number, not null'),
        ('{"step": "3", "values": {}}', '"step" must be a whole number, not a string'),
        ('{"step": 3.5, "values": {}}', '"step" must be a whole number, not 3.5'),
        ('{"step": true, "values": {}}', '"step" must be a whole number, not a boolean'),
        ('{"step": 3}', '"values" must be an object of numbers by metric, not null'),
        ('{"step": 3, "values": {"Q": "1"}}', "values['Q'] must be a number or null, not a string"),
        ('{"step": 3, "values": {"Q": {}}}', "values['Q'] must be a number or null, not an object"),
        ('{"step": 3, "epoch": [], "values": {}}', '"epoch" must be a number or null, not a list'),
        ('{"step": 3, "values": {"Q": 1' + "0" * 400 + "}}", "values['Q'] is too large"),
        ("[" * 100_000, "nested too deeply"),
        ('{"step": 1' + "0" * 30 + ', "values": {}}', '"step" must be a whole number, not 10000'),
    ],
)
def test_a_bad_line_is_named_with_its_reason(line: str, reason: str) -> None:
    with pytest.raises(ReplayError) as caught:
        list(read_records(['{"step": 1, "values": {}}', line], "run.jsonl"))
    assert str(caught.value).startswith(f"run.jsonl, line 2: {reason}")


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ReplayError, match=r"missing\.jsonl cannot be read"):
        list(replay(tmp_path / "missing.jsonl"))
    binary = tmp_path / "binary.jsonl"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ReplayError, match=r"binary\.jsonl cannot be read"):
        list(replay(binary))


def test_an_unknown_sensitivity(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="highest"):
        list(replay(tmp_path / "missing.jsonl", sensitivity="highest"))


def test_what_was_not_finite_has_a_word(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    path.write_text('{"step": 1, "values": {"Q": 0.5}}\n{"step": 2, "values": {"Q": "NaN"}}\n')
    assert [found.kind for found in replay(path)] == ["nonfinite"]
    with pytest.raises(ValueError, match="must be a number or null, not a string"):
        parse('{"step": 1, "values": {"Q": "nan"}}')
