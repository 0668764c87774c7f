"""The companions that every worker offers."""

from monitor.diversity.companions.companion import Companion
from monitor.diversity.companions.frechet import FrechetDistance
from monitor.diversity.companions.inception_score import InceptionScore
from monitor.diversity.companions.kernel import KernelDistance
from monitor.diversity.companions.neighbours import Neighbours
from monitor.diversity.companions.vendi import Vendi

#: By the name that runs ask for them with.
OFFERED: dict[str, Companion] = {
    each.name: each
    for each in (Neighbours(), KernelDistance(), FrechetDistance(), Vendi(), InceptionScore())
}
