"""Turning points: the online detector."""

from monitor.turning.detector import TurningPointDetector

__all__ = ["TurningPointDetector"]
