"""The table of biases, small."""

import math
import sys

import pytest

from benchmarks.entropy import distributions, entropy, main


def test_distributions_are_such_and_their_entropies_known() -> None:
    found = distributions(2000)
    assert all(shares.sum() == pytest.approx(1) for shares in found.values())
    assert entropy(found["uniform over all 2,000"]) == pytest.approx(math.log(2000))
    assert entropy(found["100 equal modes"]) == pytest.approx(math.log(100))


def test_the_table_tells_truth_and_biases(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sizes = ["--modes", "1000", "--samples", "2000", "--batches", "5"]
    monkeypatch.setattr(sys, "argv", ["entropy", *sizes])
    main()
    rows = capsys.readouterr().out.splitlines()
    assert rows[2].startswith("| uniform over all 1,000 | 6.908 | ")
    assert len(rows) == 2 + 5
