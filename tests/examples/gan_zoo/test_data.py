"""The data: ranges, labels, modes and repeatable randomness."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from examples.gan_zoo.data import load
from examples.gan_zoo.mixture import GRID, GRID_DEVIATION, SLIDES
from examples.gan_zoo.shapes import COLOURS, MODES, SHAPES, render


@pytest.fixture
def people(tmp_path: Path) -> Path:
    """Two folders of images, wide and tall, that are red in the middle square and blue beside."""
    for name, size, middle in (
        ("a/1.png", (12, 8), (2, 0, 10, 8)),
        ("b/x/2.JPG", (8, 16), (0, 4, 8, 12)),
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True)
        image = Image.new("RGB", size, (0, 0, 255))
        image.paste((255, 0, 0), middle)
        image.save(path, format="PNG")
    (tmp_path / "list.txt").write_text("not an image")
    return tmp_path


@pytest.mark.parametrize("name", ["faces", "mixture", "mixture:slides", "shapes", "folder"])
def test_every_source_draws_what_it_says_and_repeats_itself(name: str, people: Path) -> None:
    data = load(f"folder:{people}" if name == "folder" else name, 16)
    torch.manual_seed(7)
    samples, labels = data.draw(50)
    assert samples.shape == (50, *data.shape)
    assert samples.dtype == torch.float32
    assert labels.shape == (50,)
    assert labels.dtype == torch.int64
    assert set(labels.tolist()) <= set(range(data.classes))
    assert len(data.shape) == 1 or float(samples.abs().max()) <= 1
    torch.manual_seed(7)
    again = data.draw(50)
    assert torch.equal(samples, again[0])
    assert torch.equal(labels, again[1])


def test_the_grid_has_25_modes_two_apart() -> None:
    assert GRID.means.shape == (25, 2)
    distances = torch.cdist(GRID.means, GRID.means) + 100 * torch.eye(25)
    assert bool((distances.min(1).values == 2).all())
    points, labels = GRID.draw(20_000)
    assert torch.equal(torch.cdist(points, GRID.means).argmin(1), labels)
    shares = torch.bincount(labels, minlength=25) / 20_000
    torch.testing.assert_close(shares, torch.full((25,), 0.04), rtol=0, atol=0.008)
    assert float((points - GRID.means[labels]).std()) == pytest.approx(GRID_DEVIATION, rel=0.03)


def test_the_slides_combination_is_a_density_with_its_weights() -> None:
    line = torch.linspace(-5, 5, 401)
    points = torch.cartesian_prod(line, line)
    density = SLIDES.density(points) * (10 / 400) ** 2
    assert float(density.sum()) == pytest.approx(1, abs=1e-4)
    nearest = torch.cdist(points, SLIDES.means).argmin(1)
    masses = torch.zeros(4).index_add(0, nearest, density)
    torch.testing.assert_close(masses, SLIDES.weights, rtol=0, atol=1e-3)
    shares = torch.bincount(SLIDES.draw(20_000)[1], minlength=4) / 20_000
    torch.testing.assert_close(shares, SLIDES.weights, rtol=0, atol=0.02)


def test_shapes_have_25_modes_in_their_colours() -> None:
    assert len(MODES) == len(set(MODES)) == 25
    images = render(torch.arange(25), 32)
    for image, mode in zip(images, MODES, strict=True):
        brightest = image.flatten(1)[:, image.sum(0).argmax()]
        torch.testing.assert_close((brightest + 1) / 2, torch.tensor(COLOURS[mode.split()[0]]))
        assert bool((image[:, 0, 0] == -1).all()), "black around it"


def test_shapes_cover_their_areas() -> None:
    # In units of the squared radius; the radius is uniform on [0.35, 0.6], so E r² = 0.2308.
    areas = {
        "circle": np.pi,
        "square": 1.8**2,
        "ring": np.pi * (1 - 0.4**2),
        "cross": 2 * 2 * 0.6 - 0.6**2,
    }
    torch.manual_seed(0)
    for shape, area in areas.items():
        label = list(SHAPES).index(shape) * len(COLOURS) + list(COLOURS).index("white")
        covered = (render(torch.full((400,), label), 32)[:, 0] + 1).mean() / 2
        assert 4 * float(covered) == pytest.approx(area * 0.2308, rel=0.06), shape


def test_a_folder_is_cut_to_its_middle_square_and_labelled_by_subfolder(people: Path) -> None:
    data = load(f"folder:{people}", 4)
    assert (data.classes, data.size) == (2, 2)
    samples, labels = data.draw(20)
    assert set(labels.tolist()) == {0, 1}
    red = torch.tensor([1.0, -1.0, -1.0]).view(1, 3, 1, 1).expand_as(samples)
    torch.testing.assert_close(samples, red)


def test_a_folder_is_decoded_once(people: Path) -> None:
    data = load(f"folder:{people}", 4)
    data.draw(40)
    for image in people.rglob("*.*"):
        image.unlink()
    assert data.draw(40)[0].shape == (40, 3, 4, 4)


def test_a_flat_folder_has_one_label(people: Path) -> None:
    data = load(f"folder:{people / 'a'}", 4)
    assert data.classes == 1
    assert set(data.draw(5)[1].tolist()) == {0}


def test_epochs() -> None:
    assert load("faces", 8).epoch_steps(64) == 100


@pytest.mark.parametrize("name", ["cats", "folder:/nowhere/at/all", "mixture:other"])
def test_what_is_not_there_is_named(name: str) -> None:
    with pytest.raises(ValueError, match=name.removeprefix("folder:")):
        load(name, 8)
