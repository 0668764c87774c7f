"""The cores a worker may use are those it is given."""

import os
from pathlib import Path

import pytest

from monitor.worker import cores


@pytest.mark.parametrize(
    ("quota", "expected"),
    [("400000 100000", 4), ("150000 100000", 1), ("50000 100000", 1), ("max 100000", 6),
     ("9900000 100000", 6), ("", 6)],
)  # fmt: skip
def test_a_containers_share_and_the_affinity_bound_the_cores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quota: str, expected: int
) -> None:
    (tmp_path / "cpu.max").write_text(quota)
    monkeypatch.setattr(cores, "QUOTA", tmp_path / "cpu.max")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(6)), raising=False)
    assert cores.usable_cores() == expected


def test_without_a_container_the_cores_are_those_of_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cores, "QUOTA", tmp_path / "none")
    assert 1 <= cores.usable_cores() <= (os.cpu_count() or 1)
