"""The recipes run for a few iterations, and what they push arrives."""

import math
import socket
from pathlib import Path

from monitor.store.runs import read_run, run_ids
from tests.trainer_hooks.mail import Mail
from tests.trainer_hooks.trainers import in_processes

EXAMPLES = Path(__file__).parents[2] / "examples"
ITERATIONS = 5
#: Few samples and every pair of weights, however slow the machine is.
HASTE = {"SQD_RUN": "demo", "SQD_SAMPLES": "8", "SQD_MAX_OVERHEAD": "1", "OMP_NUM_THREADS": "1"}


def check_arrived(mail: Mail, iterations: int = ITERATIONS) -> None:
    assert run_ids(mail.store) == ["demo"]
    assert read_run(mail.store, "demo").status == "finished"
    for network in ("G", "D"):
        angles = mail.angles("demo", network)
        assert list(angles) == list(range(1, iterations))
        assert all(math.isfinite(angle) and angle > 0 for angle in angles.values())
        assert [step for step, _ in mail.scalars("demo")[f"loss.{network}"]] == [*range(iterations)]
    assert mail.batches("demo")[0].shape == (8, 1, 32, 32)


def test_lightning(mail: Mail) -> None:
    script = str(EXAMPLES / "lightning" / "gan.py")
    (ended,) = in_processes(mail, [script, "--iterations", str(ITERATIONS)], [HASTE])
    assert ended.returncode == 0, ended.stderr
    check_arrived(mail)
    assert read_run(mail.store, "demo").drops == {}


def test_accelerate_on_two_ranks(mail: Mail) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    ranks = [
        {
            **HASTE,
            "ACCELERATE_USE_CPU": "true",
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(port),
            "WORLD_SIZE": "2",
            "RANK": str(rank),
            "LOCAL_RANK": str(rank),
        }
        for rank in (0, 1)
    ]
    script = str(EXAMPLES / "accelerate" / "gan.py")
    ended = in_processes(mail, [script, "--iterations", str(ITERATIONS)], ranks)
    assert [rank.returncode for rank in ended] == [0, 0], ended
    assert len(read_run(mail.store, "demo").segments) == 1
    check_arrived(mail)
    assert read_run(mail.store, "demo").drops == {}


def test_a_diffusion_model_has_one_network_and_no_discriminator(mail: Mail) -> None:
    script = str(EXAMPLES / "diffusion" / "ddpm.py")
    (ended,) = in_processes(mail, [script, "--iterations", str(ITERATIONS)], [HASTE])
    assert ended.returncode == 0, ended.stderr
    assert list(mail.angles("demo", "model")) == list(range(1, ITERATIONS))
    assert [step for step, _ in mail.scalars("demo")["loss"]] == [*range(ITERATIONS)]
    samples = mail.batches("demo")[0]
    assert samples.shape == (8, 1, 32, 32)
    assert read_run(mail.store, "demo").drops == {}
