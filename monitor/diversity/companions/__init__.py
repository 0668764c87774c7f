"""Few-sample companions of D on the same features, each for runs that name it (docs/metrics.md)."""
