"""The architectures against their sources."""

import pytest
import torch
from torch import nn

from examples.gan_zoo.dcgan import ACTIVATIONS
from examples.gan_zoo.networks import NETWORKS, build, without_batch_norm
from monitor.demo.networks import Discriminator, Generator

SHAPES = {"demo": (3, 32, 32), "dcgan64": (3, 64, 64), "tan": (3, 32, 32), "mlp": (2,)}


def copy_in_order(source: nn.Module, target: nn.Module) -> None:
    values, places = source.state_dict().values(), target.state_dict().values()
    for value, place in zip(values, places, strict=True):
        place.copy_(value)


def test_demo_is_the_demos_network() -> None:
    generator, discriminator = build("demo", (1, 32, 32))
    demo = Generator(), Discriminator()
    for ours, theirs in zip((generator, discriminator), demo, strict=True):
        copy_in_order(theirs, ours)
    noise = torch.randn(3, 100)
    images = demo[0](noise.view(3, 100, 1, 1))
    assert torch.equal(generator(noise), images)
    assert torch.equal(discriminator(images), demo[1](images))


def test_demo_starts_like_the_demo() -> None:
    torch.manual_seed(0)
    generator = build("demo", (1, 32, 32))[0]
    torch.manual_seed(0)
    demo = Generator()
    first = next(iter(generator.parameters())).std(), next(iter(demo.parameters())).std()
    assert float(first[0].detach()) == pytest.approx(0.02, rel=0.02)
    assert float(first[1].detach()) == pytest.approx(0.02, rel=0.02)


#: Weights (outputs, inputs, kernel) and whether there is a bias, from Tan et al.'s Table A1 …
TABLE_A1 = [
    ((64, 3, 3), True),
    ((64, 64, 4), False),
    ((128, 64, 3), False),
    ((128, 128, 4), False),
    ((256, 128, 3), False),
    ((256, 256, 4), False),
    ((512, 256, 3), False),
    ((1, 512, 4), True),
]
#: … and A2.
TABLE_A2 = [
    ((512, 128, 4), False),
    ((256, 512, 4), False),
    ((128, 256, 4), False),
    ((64, 128, 4), False),
    ((3, 64, 3), True),
]


def test_tan_is_tables_a1_and_a2() -> None:
    generator, discriminator = build("tan", (3, 32, 32))
    for network, table in ((generator, TABLE_A2), (discriminator, TABLE_A1)):
        layers = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
        found = [
            ((m.out_channels, m.in_channels, m.kernel_size[0]), m.bias is not None) for m in layers
        ]
        assert found == table
    kinds = [type(module) for module in generator.modules()]
    assert kinds.count(nn.BatchNorm2d) == kinds.count(nn.ReLU) == 4
    assert not any(isinstance(module, nn.BatchNorm2d) for module in discriminator.modules())
    slopes = [m.negative_slope for m in discriminator.modules() if isinstance(m, nn.LeakyReLU)]
    assert slopes == [0.2] * 7
    assert [hasattr(m, "parametrizations") for m in discriminator.body if isinstance(m, nn.Conv2d)][
        -1
    ]


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("classes", [0, 3])
def test_shapes_and_ranges(name: str, classes: int) -> None:
    shape = SHAPES[name]
    generator, discriminator = build(name, shape, classes=classes, width=4)
    labels = torch.tensor([0, 2]) if classes else None
    samples = generator(torch.randn(2, NETWORKS[name].noise), labels)
    assert samples.shape == (2, *shape)
    assert name == "mlp" or float(samples.detach().abs().max()) <= 1
    assert discriminator(samples, labels).shape == (2,)


@pytest.mark.parametrize("name", NETWORKS)
def test_both_networks_hear_the_label(name: str) -> None:
    generator, discriminator = (n.eval() for n in build(name, SHAPES[name], classes=3, width=4))
    noise = torch.randn(1, NETWORKS[name].noise)
    zero, two = torch.tensor([0]), torch.tensor([2])
    samples = generator(noise, zero)
    assert not torch.equal(samples, generator(noise, two))
    assert not torch.equal(discriminator(samples, zero), discriminator(samples, two))
    with pytest.raises(ValueError, match="labels"):
        generator(noise)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("activation", [a for a in ACTIVATIONS if a != "relu"])
def test_smooth_networks_have_no_kink(name: str, activation: str) -> None:
    for network in build(name, SHAPES[name], width=4, activation=activation):
        assert not any(isinstance(m, nn.ReLU | nn.LeakyReLU) for m in network.modules())


def test_without_batch_norm_a_sample_does_not_depend_on_the_others() -> None:
    discriminator = build("demo", (1, 32, 32), width=4)[1]
    images = torch.randn(4, 1, 32, 32)
    assert not torch.allclose(discriminator(images)[:2], discriminator(images[:2]))
    without_batch_norm(discriminator)
    torch.testing.assert_close(discriminator(images)[:2], discriminator(images[:2]))
