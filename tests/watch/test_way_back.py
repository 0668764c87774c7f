"""From a row to the trainer: what the watch raises pins a checkpoint in the training's own ring."""

from pathlib import Path

import pytest

from monitor.store.blocks import Cell
from monitor.store.runs import read_run
from monitor.watch.loop import Watch
from tests.server.laboratory import Laboratory
from tests.trainer_hooks.mail import eventually
from trainer_hooks import sender

#: Rows of S; the weights are not finite from this step on.
ROWS, BROKEN = 200, 150


def test_alert_of_the_watch_pins_and_rewinds(
    laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "BEAT_INTERVAL_S", 0.05)
    run = laboratory.start("demo")
    loaded: list[Path] = []
    ring = run.checkpoints(
        every=20, keep=10, save=lambda path: path.write_text("x"), load=loaded.append
    )
    for step in range(1, ROWS + 1):
        ring.save_if_due(step)
    bad = [Cell(row, None, status="nonfinite", reason="NaN") for row in range(ROWS)]
    values = [bad[row] if row + 1 >= BROKEN else 0.003 for row in range(ROWS)]
    laboratory.weights(run, {"S.G": values})
    watch = Watch(laboratory.store)
    watch.tick()
    watch.release()
    (alert,) = eventually(run.alerts)
    assert (alert["kind"], alert["step"]) == ("nonfinite", BROKEN)
    back = run.rewind(alert)
    assert back is not None
    assert (back.step, loaded) == (140, [back.path])
    eventually(lambda: read_run(laboratory.store, "demo").pinned)
    (pinned,) = read_run(laboratory.store, "demo").pinned
    assert (pinned.path, pinned.pinned, pinned.alert) == (str(back.path), True, alert["id"])
