"""Seeded simulated trainings with the paper's patterns, to tune and to judge the detector.

They prove nothing about real trainings; they keep the detector honest about trends, noise,
learning-rate steps, rhythm and missing metrics. Noise and sizes are those of recorded runs (a DCGAN
on 100 faces, S every iteration, Q and D every 200) and of the paper's figures 3 to 5.
"""

from monitor.turning.simulation.cases import cases
from monitor.turning.simulation.plan import HEALTHY, TURNING, Pattern, Plan
from monitor.turning.simulation.run import Simulation, simulate

__all__ = ["HEALTHY", "TURNING", "Pattern", "Plan", "Simulation", "cases", "simulate"]
