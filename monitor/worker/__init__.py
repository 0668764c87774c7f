"""The worker: frames in, points out."""
