"""A trainer that does nothing but push: two small networks that move a little, at a steady rate.

python -m benchmarks.dashboard.trainer RUN POINTS_PER_S
"""

import itertools
import sys
import time

import numpy as np

import trainer_hooks

#: Weights of each network: full snapshots, so that S is the exact angle.
WEIGHTS = 2000
#: How far a step moves them.
STRIDE = 3e-3
#: Each push gives one point of S for each network.
NETWORKS = ("G", "D")


def main(name: str, points_per_s: float) -> None:
    """Push until somebody ends it."""
    rng = np.random.default_rng(0)
    networks = {each: rng.standard_normal(WEIGHTS).astype(np.float32) for each in NETWORKS}
    run = trainer_hooks.start(name, weights="full")
    begun_s = time.monotonic()
    for step in itertools.count():
        for each in NETWORKS:
            networks[each] += STRIDE * rng.standard_normal(WEIGHTS).astype(np.float32)
        run.push_weights(step, {each: {"weight": networks[each]} for each in NETWORKS})
        due_s = begun_s + (step + 1) * len(NETWORKS) / points_per_s
        time.sleep(max(0.0, due_s - time.monotonic()))


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
