"""Embedders trained on a labelled folder: what they learn, report and export."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from monitor.diversity.gallery import by_folder
from monitor.diversity.onnx_export import export_onnx
from monitor.diversity.trained.network import DIMENSION
from monitor.diversity.trained.pictures import Pictures, read_pictures
from monitor.diversity.trained.train import STOP_ROUNDS, accuracy, train
from monitor.diversity.trained.views import random_views
from monitor.errors import ReferenceError
from monitor.evaluators.network import Network

IDENTITIES, EACH, SIDE = 4, 11, 16


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stripes: an identity is a direction and a width, whatever the colours."""
    root = tmp_path_factory.mktemp("stripes")
    rng = np.random.default_rng(4)
    y, x = np.mgrid[:24, :20]
    for identity in range(IDENTITIES):
        (root / f"kind {identity}").mkdir()
        for i in range(EACH):
            along = (x if identity % 2 else y) + rng.integers(0, 24)
            stripes = (along // (2 if identity < 2 else 5)) % 2
            dark, light = rng.integers(0, 90, 3), rng.integers(150, 256, 3)
            pixels = np.where(stripes[..., None], dark, light).astype(np.uint8)
            Image.fromarray(pixels).save(root / f"kind {identity}" / f"{i:02d}.png")
    (root / "kind 0" / "bad.png").write_bytes(b"x")
    return root


@pytest.fixture
def pictures(folder: Path, tmp_path: Path) -> Pictures:
    return read_pictures(by_folder(folder), SIDE, tmp_path / "pixels", lambda done: None)


def test_a_fifth_is_held_out_of_each_identity(pictures: Pictures) -> None:
    assert len(pictures.pixels) == IDENTITIES * EACH
    assert np.bincount(pictures.identity[pictures.held_out]).tolist() == [EACH // 5] * IDENTITIES
    both = np.concatenate([pictures.train, pictures.held_out])
    assert sorted(both.tolist()) == list(range(IDENTITIES * EACH))
    assert pictures.left_out == {"kind 0/bad.png": "no image of a known kind"}


def test_it_learns_and_what_is_exported_is_what_was_trained(
    pictures: Pictures, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.diversity.trained.train.LEAST_STEPS", 15)
    monkeypatch.setattr("monitor.diversity.trained.train.BATCH", 32)
    told: list[tuple[int, float, float]] = []
    before = torch.random.get_rng_state()
    network, report = train(pictures, rounds=3, on_round=lambda *each: told.append(each))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert report.accuracy >= 0.9
    assert report.chance == 1 / IDENTITIES
    assert report.accuracy == max(reached for _, _, reached in told)
    assert report.accuracy == accuracy(network, pictures)
    assert [number for number, _, _ in told] == list(range(1, report.rounds + 1))
    assert told[report.best_round - 1][2] == report.accuracy
    export_onnx(network, SIDE, tmp_path / "stripes.onnx")
    again = Network(tmp_path / "stripes.onnx", "cpu")
    assert again.dimension == DIMENSION
    samples = np.array(pictures.pixels[:5])
    with torch.inference_mode():
        features = network(torch.from_numpy(samples).float() / 255).numpy()
    np.testing.assert_allclose(again.run(samples), features, atol=1e-3)


def test_the_same_seed_gives_the_same_network(
    pictures: Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.diversity.trained.train.LEAST_STEPS", 2)
    (first, _), (second, _), (other, _) = (train(pictures, rounds=1, seed=s) for s in (1, 1, 2))
    for name, value in first.state_dict().items():
        assert torch.equal(value, second.state_dict()[name]), name
    weights = next(iter(first.parameters())), next(iter(other.parameters()))
    assert not torch.equal(*weights)


def test_it_stops_when_it_no_longer_helps(
    pictures: Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Accuracy is made to peak in round 2; its weights are kept."""
    monkeypatch.setattr("monitor.diversity.trained.train.LEAST_STEPS", 1)
    reached = iter([0.2, 0.6, *[0.5] * 100])
    seen: list[torch.Tensor] = []

    def judged(network: torch.nn.Module, _: Pictures) -> float:
        seen.append(next(iter(network.parameters())).detach().clone())
        return next(reached)

    monkeypatch.setattr("monitor.diversity.trained.train.accuracy", judged)
    network, report = train(pictures, rounds=100)
    assert (report.best_round, report.rounds, report.accuracy) == (2, 2 + STOP_ROUNDS, 0.6)
    assert torch.equal(next(iter(network.parameters())), seen[1])


def test_where_all_are_told_apart_a_clearly_smaller_loss_is_better(
    pictures: Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors = iter([5.0, 4.0, 3.99, *[3.95] * 100])
    monkeypatch.setattr("monitor.diversity.trained.train._round", lambda *_: next(errors))
    monkeypatch.setattr("monitor.diversity.trained.train.accuracy", lambda *_: 1.0)
    _, report = train(pictures, rounds=100)
    assert (report.best_round, report.rounds) == (2, 2 + STOP_ROUNDS)


def test_views_keep_size_range_and_subject() -> None:
    pictures = torch.rand(8, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    views = random_views(pictures, torch.Generator().manual_seed(1))
    assert views.shape == pictures.shape
    assert 0 <= float(views.min()) <= float(views.max()) <= 1
    assert not torch.equal(views[0], views[1])
    flat = random_views(torch.full((4, 3, SIDE, SIDE), 0.5), torch.Generator().manual_seed(2))
    assert float((flat.mean(dim=(1, 2, 3)) - 0.5).abs().max()) < 0.2


def test_folders_that_nothing_can_be_learnt_from(tmp_path: Path) -> None:
    for person in "ab":
        (tmp_path / "faces" / person).mkdir(parents=True)
        Image.new("L", (4, 4)).save(tmp_path / "faces" / person / "1.png")
    with pytest.raises(ReferenceError, match="has 2 identities and 0 pictures to check with"):
        read_pictures(by_folder(tmp_path / "faces"), SIDE, tmp_path / "p", lambda done: None)
