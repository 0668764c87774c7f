"""Evaluators of Q and D: faces, and what reaches beyond them (docs/metrics.md)."""
