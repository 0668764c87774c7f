"""The command: hook calls, checkpoints, names, and one clear line for what is wrong."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from examples.gan_zoo import checkpoint, train
from examples.gan_zoo.command_line import parse
from examples.gan_zoo.recipe import Recipe
from trainer_hooks import Run
from trainer_hooks import start as real_start

TINY = ["--data", "mixture", "--width", "8", "--batch", "4"]


class Watcher:
    """Notes what `main` starts and pushes."""

    def __init__(self) -> None:
        self.starts: list[tuple[str, dict[str, Any]]] = []
        self.weights: list[tuple[int, dict[str, Any]]] = []
        self.samples: list[tuple[int, torch.Size]] = []

    def start(self, run: str, **settings: Any) -> Run:
        self.starts.append((run, settings))
        return real_start(run, mode="disabled")

    def push_weights(self, step: int, **given: Any) -> None:
        self.weights.append((step, given))

    def push_samples(self, step: int, source: Any, *, epoch: float) -> None:
        with torch.random.fork_rng():
            self.samples.append((step, source(6).shape))


@pytest.fixture
def watcher(monkeypatch: pytest.MonkeyPatch) -> Watcher:
    """In place of the hooks; signals and threads stay as they are."""
    watcher = Watcher()
    monkeypatch.setattr(train, "start", watcher.start)
    monkeypatch.setattr(train, "push_weights", watcher.push_weights)
    monkeypatch.setattr(train, "push_samples", watcher.push_samples)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr(torch, "set_num_threads", lambda _: None)
    return watcher


def test_the_two_calls_come_every_iteration(watcher: Watcher) -> None:
    train.main([*TINY, "--iterations", "3", "--seed", "5", "--samples", "70"])
    name, settings = watcher.starts[0]
    assert name == "nsgan-mixture-s5"
    assert settings["samples"] == 70
    assert settings["resume"] is False
    assert settings["config"]["seed"] == 5
    assert [step for step, _ in watcher.weights] == [0, 1, 2]
    assert [step for step, _ in watcher.samples] == [0, 1, 2]
    assert {shape for _, shape in watcher.samples} == {(6, 2)}
    for _, given in watcher.weights:
        assert isinstance(given["G"], torch.nn.Module)
        assert isinstance(given["D"], torch.nn.Module)
        assert set(given["scalars"]) == {"loss.G", "loss.D", "grad.G", "grad.D"}
        assert not any(value.requires_grad for value in given["scalars"].values())
    assert [given["epoch"] for _, given in watcher.weights] == [0, 0.01, 0.02]


def test_a_second_call_continues_run_and_steps(watcher: Watcher, tmp_path: Path) -> None:
    common = [*TINY, "--run", "mine", "--checkpoint", str(tmp_path), "--checkpoint-every", "2"]
    train.main([*common, "--iterations", "3"])
    train.main([*common, "--iterations", "5"])
    assert [step for step, _ in watcher.weights] == [0, 1, 2, 3, 4]
    assert [(run, settings["resume"]) for run, settings in watcher.starts] == [
        ("mine", False),
        ("mine", True),
    ]
    train.main([*common, "--iterations", "5"])
    assert len(watcher.weights) == 5, "nothing is left to do"


def test_checkpoints_come_in_between_and_at_the_end(
    watcher: Watcher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = []
    monkeypatch.setattr(
        checkpoint, "save", lambda training, run, folder: saved.append((training.step, run))
    )
    often = ["--checkpoint", str(tmp_path), "--checkpoint-every", "2", "--run", "mine"]
    train.main([*TINY, *often, "--iterations", "5"])
    assert saved == [(2, "mine"), (4, "mine"), (5, "mine")]


def test_progress_ends_with_how_far_it_got(
    watcher: Watcher, capsys: pytest.CaptureFixture[str]
) -> None:
    train.main([*TINY, "--iterations", "2", "--run", "mine"])
    captured = capsys.readouterr()
    assert "mine: 2/2, loss.G" in captured.out
    assert "mine: 2 iterations done" in captured.err


def test_names_and_options_reach_the_recipe() -> None:
    line = (
        "--loss fgan:kl --penalty tan --norm pgn --data shapes --bound 0.5 --n-cr 4 "
        "--generator-step 1/L --betas 0.5 0.9 --optimizer oadam --conditional --samples-every auto"
    )
    recipe, session = parse(line.split())
    assert recipe == Recipe(
        loss="fgan:kl", penalty="tan", norm="pgn", data="shapes", bound=0.5, n_cr=4,
        generator_step="1/L", betas=(0.5, 0.9), optimizer="oadam", conditional=True,
    )  # fmt: skip
    assert session.run == "fgan-kl-tan-pgn-shapes-s0"
    assert session.samples_every == "auto"
    assert parse([])[0] == Recipe()
    assert parse(["--data", "folder:/data/img_align_celeba/"])[1].run == "nsgan-img_align_celeba-s0"


#: The contract's names (`fgan:<divergence>` in the words of this zoo).
NAMES = {
    "--loss": "nsgan saturating lsgan hinge wgan fgan:total-variation fgan:kl fgan:reverse-kl "
    "fgan:pearson fgan:neyman fgan:hellinger fgan:jeffrey fgan:js fgan:weighted-js fgan:gan",
    "--penalty": "gp gp1 dragan 0gp lp tan clip alr cr",
    "--norm": "sn gn pgn",
    "--optimizer": "adam oadam",
}


@pytest.mark.parametrize("option", NAMES)
def test_the_names_of_the_contract(option: str) -> None:
    for name in NAMES[option].split():
        assert getattr(parse([option, name])[0], option.removeprefix("--")) == name


BAD = {
    "--loss best": "best",
    "--loss fgan:total": "fgan:total",
    "--penalty none-such": "none-such",
    "--norm bn": "bn",
    "--data cats": "cats",
    "--data folder:/nowhere": "/nowhere",
    "--data mixture --network tan": "tan",
    "--iterations 0": "'0' is not a whole number at least 1",
    "--seed -1": "'-1' is not a whole number at least 0",
    "--batch x": "'x'",
    "--learning-rate 0": "'0' is not a number above 0",
    "--learning-rate nan": "'nan'",
    "--betas 0.5 1": "'1' is not below 1",
    "--samples-every never": "'never'",
    "--device toaster": "toaster",
    "--los nsgan": "--los",
}


@pytest.mark.parametrize("line", BAD)
def test_bad_usage_is_one_clear_line(
    line: str, watcher: Watcher, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        train.main(line.split())
    assert left.value.code == 2
    error = capsys.readouterr().err
    assert BAD[line] in error
    assert error.count("\n") == 1
    assert not watcher.weights


def test_another_recipes_checkpoint_is_one_clear_line(
    watcher: Watcher, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = [*TINY, "--checkpoint", str(tmp_path), "--iterations", "1"]
    train.main(common)
    with pytest.raises(SystemExit) as left:
        train.main([*common, "--loss", "wgan"])
    assert left.value.code == 2
    assert "--loss nsgan, not wgan" in capsys.readouterr().err


def test_it_runs_as_a_command_without_a_monitor(tmp_path: Path) -> None:
    environment = {**os.environ, "SQD_HOME": str(tmp_path), "SQD_FLUSH_TIMEOUT_S": "1"}
    ran = subprocess.run(
        [sys.executable, "-m", "examples.gan_zoo.train", *TINY, "--iterations", "3"],
        env=environment,
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert ran.returncode == 0, ran.stderr
    assert "3 iterations done" in ran.stderr
