"""A real training that collapsed, replayed."""

import gzip
from pathlib import Path

from monitor.turning.replay import replay

RUNS = Path(__file__).parents[2] / "benchmarks" / "runs"


def test_the_collapse_of_a_real_training_is_found(tmp_path: Path) -> None:
    recorded = tmp_path / "run.jsonl"
    packed = (RUNS / "demo-nsgan-8e-4-seed0.jsonl.gz").read_bytes()
    recorded.write_bytes(gzip.decompress(packed))
    grave = [turning for turning in replay(recorded) if turning.severity == "critical"]
    collapse = [turning for turning in grave if "D" in turning.metrics]
    # Seen in the curves and the images: D leaves its level of 4.3 between 5,200 and 5,400.
    assert [turning.step for turning in collapse] == [5400]
    assert collapse[0].metrics[0] == "D"
    # Q had dipped at 4,000 and been told of: that must not silence this. Two batches are enough.
    assert collapse[0].detected_step <= 5400 + 2 * 200
    assert len(grave) <= 2
