"""Two ranks that train together: one run, rank 0 pushes, and nothing waits for the other rank."""

import json
import math
from pathlib import Path

from monitor.store.runs import read_run, run_ids
from tests.trainer_hooks.loops.distributed_trainer import ITERATIONS
from tests.trainer_hooks.mail import Mail
from tests.trainer_hooks.trainers import in_processes

MODULE = "tests.trainer_hooks.loops.distributed_trainer"


def test_two_ranks_are_one_run(mail: Mail, tmp_path: Path) -> None:
    group = str(tmp_path / "group")
    environments = [
        {"TEST_RANK": str(rank), "SQD_HOME": str(tmp_path / str(rank))} for rank in (0, 1)
    ]
    ended = in_processes(mail, ["-m", MODULE, group], environments)
    assert [rank.returncode for rank in ended] == [0, 0], ended
    first, second = (json.loads(rank.stdout) for rank in ended)

    # A callable that reaches a DDP or SyncBatchNorm module is never called, counted and explained.
    refused = sum(step % 3 < 2 for step in range(ITERATIONS))
    free_of_traces = {"same": True, "more forwards": 0}
    asked = [2, 8] + [10] * (ITERATIONS - refused - 1)
    sampled = {"asked": asked, "dropped": {"bad_samples": refused}}
    assert first == {"rank": 0, **free_of_traces, **sampled}
    assert second == {"rank": 1, **free_of_traces, "asked": [], "dropped": {}}
    assert ended[0].stderr.count("use .module") == 1
    assert ended[1].stderr == ""
    failures = {frame.failure for frame in mail.samples("ranks") if frame.failure}
    assert any("SyncBatchNorm" in failure for failure in failures)
    assert any("DistributedDataParallel" in failure for failure in failures)

    # One run with one trainer; the second rank left nothing, not even on disk.
    assert run_ids(mail.store) == ["ranks"]
    assert len(read_run(mail.store, "ranks").segments) == 1
    assert not (tmp_path / "1").exists()

    for network in ("G", "D"):
        angles = mail.angles("ranks", network)
        assert list(angles) == list(range(1, ITERATIONS))
        assert all(math.isfinite(angle) and angle > 0 for angle in angles.values())
    names = {t.name for f in mail.weights("ranks") for n in f.networks for t in n.tensors}
    assert not any("module" in name for name in names)
    assert "0.weight" in names
    sizes = {step: len(batch) for step, batch in mail.batches("ranks").items() if len(batch)}
    assert sizes == dict.fromkeys(range(2, ITERATIONS, 3), 10)
