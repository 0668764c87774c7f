"""What a run asks for, in whatever words."""

from typing import Any

import pytest

from monitor.worker.chosen import MOST_UNKNOWN, Chosen, chosen_by


@pytest.mark.parametrize("config", [{}, {"metrics": None}, {"metrics": []}, {"metrics": "Q"}])
def test_who_does_not_choose_gets_quality_and_diversity(config: dict[str, Any]) -> None:
    assert chosen_by(config) == Chosen()
    assert chosen_by(config).metrics() == ["Q", "D"]


@pytest.mark.parametrize(
    ("names", "metrics"),
    [
        (["Q"], ["Q"]),
        (["D"], ["D"]),
        (["D.cwj", "S.G"], ["D"]),
        (["Q", "kid"], ["Q", "D.kid"]),
        (["KID", "D.kid", "kid"], ["D.kid"]),
        (["D.recall", "vendi"],
         ["D.precision", "D.recall", "D.density", "D.prdc_coverage", "D.vendi"]),
        (["prdc_coverage"], ["D.precision", "D.recall", "D.density", "D.prdc_coverage"]),
        (["D.coverage"], ["D"]),
        (["S", "S.G", "loss.D"], []),
    ],
)  # fmt: skip
def test_names(names: list[str], metrics: list[str]) -> None:
    found = chosen_by({"metrics": names, "samples": 2000})
    assert (found.metrics(), found.unknown, found.samples) == (metrics, (), 2000)


def test_names_that_nobody_offers() -> None:
    assert chosen_by({"metrics": ["fid", "D.kids", "S", "Q"]}).unknown == ("fid", "D.kids")
    odd = ["\n", "x" * 1000, "", *map(str, range(100))]
    assert chosen_by({"metrics": odd}).unknown == tuple(map(str, range(MOST_UNKNOWN)))


@pytest.mark.parametrize("samples", [True, -1, 0, "many", 1.5, None])
def test_a_size_that_is_none(samples: object) -> None:
    assert chosen_by({"samples": samples}).samples == 0
