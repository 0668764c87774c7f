"""The embedder that ships: what it promises, and the parts that made it."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from monitor.diversity.alignment import align
from monitor.diversity.embedder import DATA, load_embedder
from monitor.diversity.faces100.arcface import MARGIN_RAD, SCALE, ArcFaceLoss
from monitor.diversity.faces100.augment import augment
from monitor.diversity.faces100.faces import FACES, load_faces
from monitor.diversity.faces100.network import DIMENSION, Faces100Network
from monitor.diversity.faces100.train import KEPT_FEATURES, SEED, STRENGTH, export, train
from monitor.diversity.modes import nearest_mode
from monitor.diversity.reference import load_reference
from monitor.quality.faces import FaceQuality

SHIPPED = DATA / "faces100.onnx"
#: Of other views than in training; each (strength, size) draws from its own seed.
TEST_SEED = 20_261_121
#: Weaker and stronger than in training.
TEST_STRENGTHS = (0.5, 1.5)
#: Views of each face in a cell of strength and size.
VIEWS = 3
#: Part of the views that must find their own identity.
REQUIRED = 0.95


@pytest.fixture(scope="module")
def faces() -> tuple[Tensor, Tensor]:
    return load_faces()


@pytest.fixture(scope="module")
def quality() -> FaceQuality:
    return FaceQuality()


def test_the_files_fit_together_and_are_small() -> None:
    embedder, reference = load_embedder("faces100"), load_reference("faces100")
    reference.check(embedder)
    assert SHIPPED.stat().st_size <= 2_000_000
    assert (reference.name, reference.embedder) == ("faces100", "faces100")
    assert reference.labels == tuple(f"face {number}" for number in range(1, FACES + 1))
    assert reference.normalised
    assert reference.features is not None
    assert reference.features.shape == (KEPT_FEATURES, DIMENSION)
    np.testing.assert_allclose(np.linalg.norm(reference.features, axis=1), 1, rtol=1e-5)


def test_the_network_tells_nothing_of_the_machine_that_made_it() -> None:
    content = SHIPPED.read_bytes()
    assert not any(trace in content for trace in (b".py", b"site-packages", b"monitor"))


@pytest.mark.parametrize("size", [32, 64])
@pytest.mark.parametrize("strength", TEST_STRENGTHS)
def test_new_views_find_their_own_face(
    faces: tuple[Tensor, Tensor], quality: FaceQuality, strength: float, size: int
) -> None:
    """The whole real path: MTCNN on the view, alignment, the shipped network, nearest mode."""
    assert strength != STRENGTH
    seed = TEST_SEED + size + int(100 * strength)
    assert seed != SEED
    reference = load_reference("faces100")
    many = [part.repeat(VIEWS, 1, 1) for part in faces]
    views, _ = augment(many[0], many[1], size, strength, Generator().manual_seed(seed))
    crops = align(views, quality.detect(views).landmarks).numpy()
    features = reference.prepare(load_embedder("faces100").embed(crops))
    own = nearest_mode(features, reference.centroids) == np.tile(np.arange(FACES), VIEWS)
    assert own.mean() >= REQUIRED


def test_no_two_faces_are_the_same(faces: tuple[Tensor, Tensor]) -> None:
    """Otherwise two modes could not be told apart, in either direction of a mirror."""
    images = faces[0].flatten(1).double()
    mirrored = faces[0].flip(-1).flatten(1).double()
    correlation = torch.corrcoef(torch.cat([images, mirrored]))[:FACES]
    correlation[:, :FACES].fill_diagonal_(0)
    correlation[:, FACES:].fill_diagonal_(0)
    assert correlation.max() < 0.9


def test_landmarks_move_with_the_view() -> None:
    """A bright dot at a landmark is where the moved landmark says."""
    landmarks = torch.tensor([[8.0, 8.0], [16.0, 9.0], [12.0, 13.0], [9.0, 18.0], [16.0, 17.0]])
    faces = torch.zeros(5, 25, 25)
    for index, (x, y) in enumerate(landmarks.int().tolist()):
        faces[index, y, x] = 1
    many = faces.repeat(20, 1, 1)
    generator = Generator().manual_seed(3)
    views, moved = augment(many, landmarks.expand(100, 5, 2), 64, 0.3, generator)
    # A mirror swaps the names of left and right: the dot is at one of the pair.
    twin = np.array([1, 0, 2, 4, 3])
    misses = []
    for index, view in enumerate(views):
        row, column = np.unravel_index(view[:, :, 0].argmax(), (64, 64))
        candidates = moved[index, [index % 5, twin[index % 5]]]
        misses.append(np.abs(candidates - [column, row]).max(axis=1).min())
    # Rectangles cover some dots; a pixel of the face is 2.56 of the view.
    assert np.quantile(misses, 0.7) < 2.56


def test_a_view_is_decided_by_its_seed(faces: tuple[Tensor, Tensor]) -> None:
    def view(seed: int) -> NDArray[np.uint8]:
        return augment(*faces, 32, 1.0, Generator().manual_seed(seed))[0]

    np.testing.assert_array_equal(view(1), view(1))
    assert (view(1) != view(2)).mean() > 0.5


def test_strength_zero_only_resizes_and_mirrors(faces: tuple[Tensor, Tensor]) -> None:
    views, _ = augment(*faces, 25, 0.0, Generator().manual_seed(4))
    levels = (faces[0] * 255).round().byte().numpy()
    for view, face in zip(views[..., 0], levels, strict=True):
        assert min(np.abs(view.astype(int) - side).max() for side in (face, face[:, ::-1])) <= 1


def test_the_loss_is_arcface() -> None:
    """Against equation 3 written out in float64, by angles."""
    generator = Generator().manual_seed(0)
    loss = ArcFaceLoss(4, 3, generator)
    features = torch.randn(50, 4, generator=generator)
    identity = torch.randint(3, (50,), generator=generator)
    x, w = features.double().numpy(), loss.centres.detach().double().numpy()
    cosine = (x / np.linalg.norm(x, axis=1)[:, None]) @ (w / np.linalg.norm(w, axis=1)[:, None]).T
    theta = np.arccos(cosine)
    usual = theta[np.arange(50), identity] <= np.pi - MARGIN_RAD  # beyond, the paper's is not used
    terms = []
    for angles, own in zip(theta[usual], identity[usual].tolist(), strict=True):
        logits = SCALE * np.cos(angles + MARGIN_RAD * (np.arange(3) == own))
        terms.append(np.log(np.exp(logits - logits[own]).sum()))
    assert len(terms) >= 40
    assert loss(features[usual], identity[usual]).item() == pytest.approx(np.mean(terms), rel=1e-4)


def test_the_loss_grows_with_the_angle_up_to_half_a_turn() -> None:
    loss = ArcFaceLoss(3, 2, Generator().manual_seed(0))
    with torch.no_grad():
        loss.centres.copy_(torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]))
    angles = torch.linspace(0.6, math.pi, 60)  # up to 0.6 the loss is zero but for rounding
    features = torch.stack([angles.cos(), angles.sin(), torch.zeros(60)], dim=1)
    values = [loss(feature[None], torch.tensor([0])).item() for feature in features]
    assert all(later > earlier for earlier, later in pairwise(values))


def test_training_learns_and_exports_what_it_trained(
    faces: tuple[Tensor, Tensor], tmp_path_factory: pytest.TempPathFactory
) -> None:
    torch.manual_seed(0)
    network = train(*faces, 2, Generator().manual_seed(0))
    path = tmp_path_factory.mktemp("model") / "small.onnx"
    export(network, path)
    crops = np.random.default_rng(0).integers(0, 256, (3, 112, 112, 3), np.uint8)
    with torch.no_grad():
        expected = network((torch.from_numpy(crops).permute(0, 3, 1, 2) - 127.5) / 127.5)
    features = load_embedder(path).embed(crops)
    assert features.shape == (3, DIMENSION)
    np.testing.assert_allclose(features, expected.numpy(), atol=1e-3)


def test_brightness_and_contrast_do_not_matter_to_the_network() -> None:
    network = Faces100Network().eval()
    images = torch.rand(2, 3, 112, 112, generator=Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(network(images), network(0.5 * images - 0.3), atol=1e-3, rtol=0)
