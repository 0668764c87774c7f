"""Plans, recordings, tables and figures of the experiments, and one small one for real."""

import gzip
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from examples.gan_zoo.command_line import parse
from examples.gan_zoo.experiments import figures, recording, table
from examples.gan_zoo.experiments.plan import EXPERIMENTS, SETTINGS, Planned, planned
from examples.gan_zoo.experiments.runner import Runner
from examples.gan_zoo.experiments.watching import Product

ITERATIONS = 600


def record(path: Path, quality: Callable[[int], float], diversity: float = 3.0) -> Path:
    """A recording with S in every step and samples in every tenth."""
    lines = []
    for step in range(ITERATIONS):
        values = {"S.G": 0.002, "S.D": 0.001, "loss.G": 1.0, "S.G/body.0.weight": 1.0}
        if step % 10 == 0:
            values |= {"Q": quality(step), "D": diversity, "S.G@epoch": 1.0}
        lines.append(json.dumps({"step": step, "epoch": step / 100, "values": values}))
    recording.write(lines, path)
    return path


@pytest.mark.parametrize("experiment", EXPERIMENTS)
@pytest.mark.parametrize("data", ["faces", "mixture"])
def test_every_planned_training_is_one_that_the_zoo_knows(experiment: str, data: str) -> None:
    plan = planned(experiment, [0, 3])
    assert len({training.name(data) for training in plan}) == len(plan)
    recipes = set()
    for training in plan:
        line = [*SETTINGS[data].arguments, *training.arguments, "--data", data]
        recipes.add(parse([*line, "--seed", str(training.seed)])[0])
    assert len(recipes) == len(plan), "two trainings are the same"


def test_a_plan_of_chosen_models_has_only_them() -> None:
    plan = planned("driven", [0, 1], ["WGAN-clip"])
    assert [(each.model, each.seed) for each in plan] == [("WGAN-clip", 0), ("WGAN-clip", 1)]


def test_a_model_that_the_experiment_has_not_is_told_with_those_it_has() -> None:
    with pytest.raises(ValueError, match=r"'NSGAN' is none of NSGAN-fast, .*WGAN-clip"):
        planned("driven", [0], ["NSGAN"])


def test_table_2_has_four_losses_twice() -> None:
    models = [training.model for training in planned("table2", [5])]
    assert models == ["NSGAN", "LSGAN", "HINGE", "WGAN", *(f"{x}-GP" for x in models[:4])]


def test_recordings_keep_what_replay_needs(tmp_path: Path) -> None:
    lines = [
        {"step": 1, "epoch": 0.5, "values": {"S.G": 0.001234567, "loss.G": 2.0, "S.G/w": 1.0}},
        {"step": 2, "epoch": None, "values": {"loss.G": 1.0}},
        {"step": 3, "epoch": 1.0, "values": {"Q": None, "D": 3.0, "S.G@epoch": 4.0}},
    ]
    path = tmp_path / "run.jsonl.gz"
    recording.write(map(json.dumps, lines), path)
    with gzip.open(path, "rt") as file:
        assert [json.loads(line) for line in file] == [
            {"step": 1, "epoch": 0.5, "values": {"S.G": 0.0012346, "loss.G": 2.0}},
            {"step": 3, "epoch": 1.0, "values": {"Q": None, "D": 3.0}},
        ]
    assert [record.step for record in recording.read(path)] == [1, 3]
    assert {name: list(steps) for name, (steps, _) in recording.series(path).items()} == {
        "S.G": [1],
        "loss.G": [1],
        "D": [3],
    }
    assert list(tmp_path.iterdir()) == [path]


def test_tables_tell_means_of_the_end_and_where_it_turned(tmp_path: Path) -> None:
    def falls(step: int) -> float:
        return 0.9 if step < 400 else 0.2

    outcomes = [
        table.outcome(Planned(model, seed, ()), record(tmp_path / name, quality, d), ITERATIONS)
        for model, seed, name, quality, d in (
            ("NSGAN", 0, "a.gz", falls, 1.0),
            ("NSGAN", 1, "b.gz", lambda _: 0.4, 2.0),
            ("NSGAN-GP", 0, "c.gz", lambda _: 0.9, 3.0),
        )
    ]
    assert [dict(each.means) for each in outcomes] == [
        pytest.approx({"Q": 0.2, "D": 1.0}),
        pytest.approx({"Q": 0.4, "D": 2.0}),
        pytest.approx({"Q": 0.9, "D": 3.0}),
    ]
    paper = table.paper_table(outcomes).splitlines()
    assert paper[2] == ("| NSGAN | 0.300 (0.200, 0.400) | 0.900 | 1.500 (1.000, 2.000) | 3.000 |")
    assert paper[3] == "| LSGAN | – | – | – | – |"
    summary = table.summary(outcomes).splitlines()
    assert summary[0] == "| model | Q | D | turning point at step |"
    assert summary[3] == "| NSGAN-GP | 0.900 | 3.000 | none |"
    both = figures.pairs(outcomes, "Q", "Q")
    assert [curve.line.color for curve in both.data] == [
        figures.PLAIN,
        figures.PLAIN,
        figures.PENALISED,
    ]
    angles = figures.angles(outcomes[:1], "S")
    assert [curve.name for curve in angles.data] == ["S.G", "S.D"]
    assert len(angles.data[0].x) == figures.STRETCHES
    assert figures.save(angles, tmp_path / "angles.html")[0].stat().st_size > 0


def test_a_jump_of_one_step_stays_in_the_figure(tmp_path: Path) -> None:
    path = record(tmp_path / "run.gz", lambda _: 0.5)
    steps, values = recording.series(path)["S.G"]
    values[301] = 1.0
    assert figures._largest(steps, values)[1].max() == 1.0


def test_a_training_that_was_told_to_stop_is_not_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends with 0, having saved how far it got; the points of half a training are none."""

    def told(runner: Runner, training: Planned, name: str) -> int:
        runner._stopping.set()
        return 0

    monkeypatch.setattr(Runner, "_train", told)
    (tmp_path / "endpoint").write_text('{"server_url": "http://127.0.0.1:9"}')
    runner = Runner(Product(tmp_path), "faces", SETTINGS["faces"], tmp_path)
    training = planned("driven", [0])[0]
    assert not runner._one(training)
    assert not runner.recording(training).exists()


@pytest.mark.e2e
@pytest.mark.timeout(300)
def test_an_experiment_is_watched_recorded_and_goes_on(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "examples.gan_zoo.experiments", "driven", "--data", "mixture"]
    command += ["--iterations", "30", "--seeds", "1", "--output", str(tmp_path)]

    def run() -> str:
        done = subprocess.run(command, capture_output=True, text=True, timeout=250)
        assert done.returncode == 0, done.stderr
        return done.stdout

    said = run()
    output = tmp_path / "driven-mixture"
    names = [training.name("mixture") for training in planned("driven", [1])]
    assert all(f"{name}: recorded" in said for name in names)
    recorded = {path.name.removesuffix(recording.SUFFIX): path for path in
                (output / "recordings").iterdir()}  # fmt: skip
    assert sorted(recorded) == sorted(names)
    for path in recorded.values():
        found = recording.series(path)
        assert {"S.G", "S.D", "loss.G", "loss.D", "Q", "D"} <= set(found)
    assert "| WGAN-clip |" in (output / "tables.md").read_text()
    assert (output / "angles.html").exists()
    # Killed between training and recording: only what is missing is done, from its checkpoint.
    before = recorded[names[0]].read_bytes()
    recorded[names[0]].unlink()
    said = run()
    assert said.count(": recorded") == 1
    assert recorded[names[0]].read_bytes() == before
