"""Alerts have ids that do not depend on who raises them."""

from dataclasses import replace

import pytest

from monitor.alerts.raising import alert_id, lost_alert, turning_alert
from monitor.types import TurningPoint

TURNING = TurningPoint(100, 120, "quality", ("Q",), "warning", "Q fell.")


def test_turning_point_as_an_alert() -> None:
    alert = turning_alert("demo", TURNING, 5.0)
    assert alert.as_dict() == {
        "id": alert_id("demo", "quality", 100), "run": "demo", "kind": "quality", "step": 100,
        "detected_step": 120, "metrics": ["Q"], "severity": "warning", "message": "Q fell.",
        "time": 5.0, "rule": None, "follows": None, "acknowledged": None, "muted_until": None,
        "resolved": None,
    }  # fmt: skip


@pytest.mark.parametrize("change", [{"detected_step": 999}, {"message": "Q fell much."}])
def test_id_is_that_of_the_onset(change: dict[str, object]) -> None:
    again = turning_alert("demo", replace(TURNING, **change), 9.0)  # type: ignore[arg-type]
    assert again.id == turning_alert("demo", TURNING, 5.0).id


def test_ids_differ_by_run_kind_and_onset() -> None:
    ids = {alert_id(run, kind, onset) for run in "ab" for kind in "cd" for onset in (1, 2)}
    assert len(ids) == 8


def test_same_turn_after_a_return_to_an_earlier_step_is_news() -> None:
    ids = {turning_alert("demo", TURNING, 5.0, returns).id for returns in range(3)}
    assert len(ids) == 3
    assert turning_alert("demo", TURNING, 5.0).id in ids


def test_loss_is_named_by_its_moment() -> None:
    early, late = lost_alert("demo", 7, 100.5), lost_alert("demo", 9, 100.5)
    assert early.id == late.id
    assert lost_alert("demo", 7, 300.5).id != early.id
    assert early.message == "Trainer lost: no sign of life after step 7."
    told = lost_alert("demo", None, 100.5, "ValueError: bad")
    assert (told.id, told.message) == (
        early.id, "Trainer lost before its first step: ValueError: bad",
    )  # fmt: skip
