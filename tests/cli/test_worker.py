"""A worker leaves the training its cores."""

import os
import subprocess
import sys

#: Prints the threads that BLAS may use, once the lane has chosen.
SCRIPT = """
import numpy
from threadpoolctl import threadpool_info
from monitor.cli.worker import _limit_blas

_limit_blas(1)
print(*{pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"})
"""


def test_blas_has_one_thread_in_the_fast_lane() -> None:
    many = {**os.environ, "OPENBLAS_NUM_THREADS": "2"}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True, env=many
    )
    assert done.stdout.split() == ["1"]
