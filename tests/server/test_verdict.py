"""The sentence on each run, and which alerts still hold."""

import contextlib
from typing import Any

import httpx
import pytest

from monitor.server.verdict import age_text
from monitor.store.blocks import Cell
from monitor.turning import TurningPointDetector
from tests.server.laboratory import Laboratory, alert

CEILING = {"embedder": "faces100", "reference": "faces100", "modes": 100, "ceiling": 4.605}


def summary_of(qualities: list[float]) -> dict[str, Any]:
    """What the real detector says after these batches."""
    detector = TurningPointDetector()
    for number, quality in enumerate(qualities):
        detector.update(200 * number, {"Q": quality, "D": 4 * quality, "S.G": 0.003})
    return detector.summary()


HEALTHY = summary_of([0.9] * 60)
TURNED = summary_of([0.9] * 60 + [0.2] * 20)


def shown(client: httpx.Client) -> dict[str, Any]:
    """The only run, as the list shows it."""
    (run,) = client.get("/api/runs").json()
    assert isinstance(run, dict)
    return run


def test_running_says_what_the_detector_says(client: httpx.Client, laboratory: Laboratory) -> None:
    run = laboratory.start("demo")
    laboratory.samples(run, 1, {"Q": [0.9]}, provenance=CEILING)
    laboratory.watched("demo", HEALTHY)
    verdict = shown(client)["verdict"]
    assert verdict["level"] == "healthy"
    assert "D 3.6 of 4.6" in verdict["text"]
    laboratory.watched("demo", TURNED)
    verdict = shown(client)["verdict"]
    assert verdict["level"] == "turned"
    assert verdict["text"].startswith("Turned at step ")


def test_finished_says_how_it_ended(client: httpx.Client, laboratory: Laboratory) -> None:
    run = laboratory.start("demo")
    laboratory.weights(run, {"S.G": [0.1]}, steps=[12_000])
    run.finish()
    assert shown(client)["verdict"] == {"level": "finished", "text": "Finished at step 12,000."}
    laboratory.watched("demo", TURNED)
    verdict = shown(client)["verdict"]
    assert verdict["level"] == "finished"
    assert verdict["text"].startswith("Finished at step 12,000. Turned at step ")


def test_images_without_faces_are_told_of_where_faces_are_looked_for(
    client: httpx.Client, laboratory: Laboratory
) -> None:
    run = laboratory.start("demo")
    by = {"evaluator": "mtcnn", "sha256": "a", "settings": {}}
    laboratory.samples(run, 1, {"Q": [0.0]}, scoring=by)
    laboratory.watched("demo", summary_of([0.0] * 60))
    hint = "no face in the newest images; if they are not to be faces, choose --quality and "
    assert shown(client)["verdict"] == {
        "level": "learning", "text": f"Learning: Q 0.00, D 0.0; S steady; {hint}--embedder.",
    }  # fmt: skip
    laboratory.watched("demo", summary_of([0.0] * 12))
    assert hint in shown(client)["verdict"]["text"]
    laboratory.samples(run, 2, {"Q": [0.0]}, scoring={**by, "evaluator": "onnx:digits.onnx"})
    assert hint not in shown(client)["verdict"]["text"]


def test_what_failed_is_told_with_its_reason(client: httpx.Client, laboratory: Laboratory) -> None:
    run = laboratory.start("demo")
    failed = [Cell(0, None, status="failed", reason="samples have shape (3, 8, 8, 3).")]
    laboratory.samples(run, 1, {"D": failed})
    assert "failed" not in shown(client)["verdict"]["text"]
    laboratory.samples(run, 2, {"Q": failed, "D": failed})
    said = "Q and D failed: samples have shape (3, 8, 8, 3)."
    assert shown(client)["verdict"] == {"level": "learning", "text": said}
    run.finish()
    assert shown(client)["verdict"]["text"] == f"Finished at step 2. {said}"


def test_finished_without_a_point_says_so(client: httpx.Client, laboratory: Laboratory) -> None:
    run = laboratory.start("demo")
    laboratory.arrived(run, 1)
    run.finish()
    assert shown(client)["verdict"]["text"] == "Finished without a point."


def test_lost_says_since_when(client: httpx.Client, laboratory: Laboratory) -> None:
    run = laboratory.start("demo")
    now_s = laboratory.store.now_s()
    laboratory.weights(run, {"S.G": [0.1]}, times=[now_s - 250])
    laboratory.crash(run, silence_s=240)
    assert shown(client)["status"] == "lost"
    assert shown(client)["verdict"] == {
        "level": "lost",
        "text": "No points for 4 min: trainer lost.",
    }


def crashed(laboratory: Laboratory, words: str) -> None:
    """A run that died of a RuntimeError at step 1."""
    run = laboratory.start("demo")
    laboratory.weights(run, {"S.G": [0.1]})
    with contextlib.suppress(RuntimeError), run:
        raise RuntimeError(words)


def test_crash_is_told_at_once(client: httpx.Client, laboratory: Laboratory) -> None:
    crashed(laboratory, "CUDA out of memory.")
    told = shown(client)
    assert (told["status"], told["finished"]) == ("lost", None)
    assert told["crash"] == "RuntimeError: CUDA out of memory."
    assert told["verdict"] == {
        "level": "lost",
        "text": "Trainer lost at step 1: RuntimeError: CUDA out of memory.",
    }


def test_crash_is_told_once_and_in_short(client: httpx.Client, laboratory: Laboratory) -> None:
    crashed(laboratory, "CUDA out of memory. " + "Tried to allocate 2.00 GiB. " * 20)
    laboratory.watched("demo", HEALTHY, [alert("demo", "trainer_lost", 1)])
    text = shown(client)["verdict"]["text"]
    ending, _, rest = text.partition("…. ")
    assert ending.startswith("Trainer lost at step 1: RuntimeError: CUDA out of memory.")
    assert len(ending) < 200
    assert rest.startswith("Healthy")


@pytest.mark.parametrize("ahead_s", [0, 3600])
def test_silence_goes_by_the_clock_of_redis_where_the_trainers_is_ahead(
    client: httpx.Client, laboratory: Laboratory, ahead_s: float
) -> None:
    run = laboratory.start("demo")
    now_s = laboratory.store.now_s()
    laboratory.weights(run, {"S.G": [0.1]}, times=[now_s - 239 + ahead_s])
    laboratory.crash(run, silence_s=240)
    assert shown(client)["verdict"]["text"] == "No points for 4 min: trainer lost."


def test_alert_is_open_until_it_is_over(client: httpx.Client, laboratory: Laboratory) -> None:
    laboratory.weights(laboratory.start("demo"), {"S.G": [0.1]})
    early, late = alert("demo", "diversity", 20), alert("demo", "mode_collapse", 40)
    laboratory.watched("demo", TURNED, [early, late])
    assert shown(client)["open_alerts"] == 2
    laboratory.watched("demo", TURNED, over=[early])
    assert shown(client)["open_alerts"] == 1
    laboratory.watched("demo", HEALTHY, over=[late])
    assert shown(client)["open_alerts"] == 0
    assert shown(client)["last_alert"]["kind"] == "mode_collapse"


def test_alert_that_somebody_has_seen_is_not_counted_but_judged(
    client: httpx.Client, laboratory: Laboratory
) -> None:
    laboratory.weights(laboratory.start("demo"), {"S.G": [0.1]})
    behind = alert("demo", "worker_behind", 20)
    laboratory.watched("demo", HEALTHY, [behind])
    assert shown(client)["verdict"]["level"] == "warning"
    client.post(f"/api/runs/demo/alerts/{behind.id}/acknowledge").raise_for_status()
    assert shown(client)["open_alerts"] == 0
    assert shown(client)["verdict"]["level"] == "warning"
    client.post(f"/api/runs/demo/alerts/{behind.id}/resolve").raise_for_status()
    assert shown(client)["verdict"]["level"] == "healthy"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.3, "a second"), (45, "45 s"), (119, "119 s"), (240, "4 min"), (7000, "117 min"),
     (7200, "2 h"), (100_000, "28 h"), (200_000, "2 days")],
)  # fmt: skip
def test_age(seconds: float, text: str) -> None:
    assert age_text(seconds) == text
