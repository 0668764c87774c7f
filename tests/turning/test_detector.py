"""The detector on seeded streams: what it finds, at which exact step, and what it lets pass."""

import doctest
import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import monitor.turning.detector
from monitor.errors import SettingsError, StoreError
from monitor.turning import TurningPointDetector
from monitor.turning.replay import Record as Recorded
from monitor.turning.simulation import TURNING, Pattern, Plan, simulate
from tests.turning.streams import Record, angles, batches, noisy, play, ramp

#: D and Q of a recorded LSGAN: D falls over ten batches from batch 40 on, Q follows.
FALLING_DIVERSITY = noisy(1, [3.2] * 40 + ramp(3.2, 1.3, 10) + [1.3] * 20, 0.08)
FALLING_QUALITY = noisy(2, [0.9] * 45 + ramp(0.9, 0.3, 5) + [0.3] * 20, 0.03)

SCALARS = ("loss.G", "loss.D", "grad.G")


def brief(records: list[Record], sensitivity: str = "normal") -> list[tuple[str, int, int]]:
    found = play(records, TurningPointDetector(sensitivity))
    return [(p.kind, p.step, p.detected_step) for p in found if p.kind != "recovered"]


def with_scalars(records: list[Recorded]) -> list[Recorded]:
    """The same with a loss that sinks to nothing half-way, and a gradient every other step."""
    half = len(records) // 2
    return [
        Recorded(
            r.step,
            r.epoch,
            {**r.values, "loss.D": 1.0 + i % 3 if i < half else 0.001}
            | ({"grad.G": 1.0 / (1 + i)} if i % 2 else {}),
        )
        for i, r in enumerate(records)
    ]


def plan_of(pattern: Pattern, rhythm: str) -> Plan:
    """A plan with a value an epoch, or of 12,000 iterations."""
    return Plan(pattern, batches=300, batch_every=1) if rhythm == "epoch" else Plan(pattern)


def test_what_untrained_networks_score_is_not_to_be_kept() -> None:
    """All samples of an untrained generator may lie at a mode, or look like one person."""
    untrained: list[Record] = [(0, {"Q": 0.94})]
    failed: list[Record] = [
        (2000 * i, {"Q": q}) for i, q in enumerate(noisy(3, [0.01] * 60, 0.003), 1)
    ]
    assert brief(untrained + failed) == []


def jumping(height: float, length: int = 60) -> list[float]:
    """S every iteration with a jump from iteration 4001 on."""
    values = angles(3, [0.002] * 6000, 0.2)
    return (
        values[:4000] + [x * height for x in values[4000 : 4000 + length]] + values[4000 + length :]
    )


def test_the_example_in_the_docstring_holds() -> None:
    result = doctest.testmod(monitor.turning.detector)
    assert (result.failed, result.attempted > 0) == (0, True)


def test_slow_fall_of_diversity_alone_is_a_mode_collapse() -> None:
    found = brief(batches(D=FALLING_DIVERSITY))
    assert found == [("diversity", 8200, 8800), ("mode_collapse", 8200, 9000)]


def test_quality_alone() -> None:
    assert brief(batches(Q=FALLING_QUALITY)) == [("quality", 9400, 9800)]


def test_quality_that_begins_to_swing() -> None:
    swings = [*noisy(5, [0.9] * 40, 0.02), 0.9, 0.1, 0.85, 0.2, 0.9, 0.05, 0.92, 0.3]
    assert brief(batches(Q=swings)) == [("quality", 8400, 9600)]


def test_quality_and_diversity_together() -> None:
    sudden = noisy(4, [3.2] * 46 + [1.5] * 24, 0.08)
    assert brief(batches(Q=FALLING_QUALITY, D=sudden)) == [("turning_point", 9400, 9600)]


@pytest.mark.parametrize("length", [40, 100])
def test_jump_of_a_few_dozen_iterations(length: int) -> None:
    records: list[Record] = [(i + 1, {"S.D": x}) for i, x in enumerate(jumping(60, length))]
    [(kind, step, detected)] = brief(records)
    assert kind == "stability"
    assert 3975 < step <= 4001 < detected <= 4101


@pytest.mark.parametrize(("bad_batches", "turned"), [(1, False), (2, True)])
def test_jump_of_stability_and_two_bad_batches_are_a_turning_point(
    bad_batches: int, turned: bool
) -> None:
    quality = [0.9] * 20 + [0.2] * bad_batches + [0.9] * (10 - bad_batches)
    angle = jumping(60)
    records: list[Record] = [
        (i + 1, {"S.D": x} | ({"Q": quality[i // 200]} if i % 200 == 199 else {}))
        for i, x in enumerate(angle)
    ]
    told = ["stability", "turning_point"] if turned else ["stability"]
    assert [found[0] for found in brief(records)] == told
    calm = angles(3, [0.002] * 6000, 0.2)
    without_jump: list[Record] = [
        (step, {**values, "S.D": calm[step - 1]}) for step, values in records
    ]
    assert brief(without_jump) == []


def test_sensitivity_orders_the_detection() -> None:
    slow = batches(D=FALLING_DIVERSITY)
    first = [brief(slow, name)[0][2] for name in ("high", "normal", "low")]
    assert first == sorted(first)
    assert first[0] < first[2]
    with pytest.raises(SettingsError, match=r"'highest'.*low, normal, high"):
        TurningPointDetector("highest")


@pytest.mark.parametrize(
    "series",
    [
        pytest.param({"Q": [0.0] * 300}, id="Q exactly 0"),
        pytest.param({"Q": [-0.0] * 300}, id="Q minus 0"),
        pytest.param({"D": [0.0] * 300}, id="D exactly 0"),
        pytest.param({"Q": [0.9] * 300, "D": [3.0] * 300}, id="constant"),
        pytest.param({"S.G": [0.0] * 3000}, id="S exactly 0"),
        pytest.param({"S.G": [0.003] * 3000}, id="S constant"),
        pytest.param({"Q": noisy(1, ramp(0, 0.9, 100), 0.05)}, id="learning"),
        pytest.param({"D": noisy(2, ramp(4.2, 3.7, 100), 0.1)}, id="slowly falling D"),
        pytest.param(
            {"S.G": angles(1, [0.016] * 100 + ramp(0.016, 0.003, 900), 0.1)}, id="settling"
        ),
        pytest.param({"S.G": angles(1, [0.01] * 1500 + [0.001] * 1500, 0.1)}, id="S step down"),
        pytest.param({"Q": [0.9]}, id="one point"),
        pytest.param(
            {"Q": [0.96, *[0.0] * 13, 0.6, *[0.0] * 30], "D": [0.0, 0.0, 0.8, *[0.0] * 42]},
            id="untrained samples that cross a mode",
        ),
    ],
)
def test_what_is_no_alarm(series: dict[str, list[float]]) -> None:
    assert brief(batches(every=1, **series)) == []


def test_a_network_trained_in_every_fifth_step_only_does_not_alarm() -> None:
    values = angles(1, [0.004] * 4000, 0.1)
    assert brief([(i, {"S.G": x if i % 5 == 0 else 0.0}) for i, x in enumerate(values)]) == []


def test_diversity_before_there_are_faces_does_not_count() -> None:
    quality = [0.0] * 20 + ramp(0, 0.9, 10) + [0.9] * 20
    diversity = [4.4] * 12 + ramp(4.4, 2.5, 8) + [2.5] * 30
    assert brief(batches(Q=quality, D=diversity)) == []
    assert brief(batches(D=diversity)) != []


def test_diversity_counts_where_there_never_are_faces() -> None:
    assert brief(batches(Q=[0.0] * 100, D=[3.0] * 60 + [1.0] * 40)) == [
        ("mode_collapse", 12200, 12600)
    ]


def test_nonfinite_is_reported_once_until_the_metric_recovers() -> None:
    records: list[Record] = [
        (1, {"S.G": 0.01, "S.D": 0.01}),
        (2, {"S.G": math.nan, "S.D": math.inf}),
        (3, {"S.G": math.nan, "S.D": -math.inf, "Q": None}),
        (4, {"S.G": 0.01, "S.D": math.nan}),
        (5, {"S.G": math.nan}),
    ]
    found = play(records)
    assert [(point.step, point.metrics) for point in found] == [(2, ("S.G", "S.D")), (5, ("S.G",))]
    assert {point.kind for point in found} == {"nonfinite"}
    assert {point.severity for point in found} == {"critical"}


def test_other_names_are_ignored() -> None:
    names = ("lr", "loss", "S.G/conv1", "S.G@epoch", "D.unaligned", "Q.x", "scalar.Q", "S")
    detector = TurningPointDetector()
    for step in range(50):
        values = dict.fromkeys(names, math.nan if step > 40 else 1.0)
        assert detector.update(step, values) == []
    assert detector.summary()["metrics"] == {}


def test_a_flood_of_networks_leaves_room_for_quality() -> None:
    detector = TurningPointDetector()
    detector.update(0, {f"S.{i}": 0.01 for i in range(1000)})
    detector.update(0, {"Q": 0.5})
    metrics = detector.summary()["metrics"]
    assert len(metrics) < 100
    assert "Q" in metrics


def test_the_same_point_again_changes_nothing() -> None:
    records = batches(D=FALLING_DIVERSITY)
    assert brief([record for record in records for _ in range(3)]) == brief(records)


def test_huge_values_do_no_harm() -> None:
    detector = TurningPointDetector()
    play([(i, {"D": x, "S.G": abs(x)}) for i, x in enumerate([1e308, -1e308] * 20)], detector)
    later = play(batches(D=[3.0] * 200, every=1), detector)
    json.dumps(detector.state(), allow_nan=False)
    assert later == []


def test_memory_is_constant() -> None:
    detector = TurningPointDetector()
    values = angles(1, [0.004] * 1000, 0.3)
    sizes = []
    for step in range(1_000_000):
        detector.update(step, {"S.G": values[step % 1000]})
        if step in (10_000, 999_999):
            sizes.append(len(json.dumps(detector.state())))
    assert sizes[1] < 1.2 * sizes[0]


@pytest.mark.parametrize("version", [0, 1])
def test_state_of_another_version_is_refused(version: int) -> None:
    with pytest.raises(StoreError, match=rf"version {version}.*drop the state"):
        TurningPointDetector.from_state({**TurningPointDetector().state(), "version": version})


@pytest.mark.parametrize("rhythm", ["iteration", "epoch"])
@given(seed=st.integers(0, 10_000), pattern=st.sampled_from(TURNING), cut=st.floats(0, 1))
@settings(max_examples=10, deadline=None)
def test_a_restored_detector_goes_on_as_if_nothing_had_happened(
    rhythm: Any, seed: int, pattern: Any, cut: float
) -> None:
    records = with_scalars(simulate(plan_of(pattern, rhythm), seed).records)
    at = int(cut * len(records))
    whole, first = TurningPointDetector("high"), TurningPointDetector("high")
    for r in records[:at]:
        kept = whole.update(r.step, r.values, epoch=r.epoch)
        assert kept == first.update(r.step, r.values, epoch=r.epoch)
    second = TurningPointDetector.from_state(json.loads(json.dumps(first.state())))
    for r in records[at:]:
        kept = whole.update(r.step, r.values, epoch=r.epoch)
        assert kept == second.update(r.step, r.values, epoch=r.epoch)
    assert whole.state() == second.state()


@given(seed=st.integers(0, 10_000), pattern=st.sampled_from(TURNING))
@settings(max_examples=10, deadline=None)
def test_one_call_a_step_or_one_a_metric_is_the_same(seed: int, pattern: Any) -> None:
    records = simulate(plan_of(pattern, "epoch"), seed).records
    together, apart = TurningPointDetector(), TurningPointDetector()
    for record in records:
        found = [
            point
            for name, value in record.values.items()
            for point in apart.update(record.step, {name: value, "loss.G": 1.0, "Q.x": None})
        ]
        assert together.update(record.step, record.values) == found


@given(
    st.lists(
        st.tuples(
            st.integers(-5, 200),
            st.dictionaries(
                st.sampled_from(["S.G", "S.D", "Q", "D", *SCALARS]),
                st.none() | st.floats() | st.floats(0, 4),
            ),
            st.none() | st.floats(0, 50),
        ),
        max_size=200,
    )
)
@settings(deadline=None)
def test_nothing_crashes_and_onsets_never_lie_ahead(
    calls: list[tuple[int, dict[str, float | None], float | None]],
) -> None:
    detector = TurningPointDetector("high")
    for step, values, epoch in calls:
        for found in detector.update(step, values, epoch=epoch):
            assert found.step <= found.detected_step == step
            assert set(found.metrics) <= {*detector.summary()["metrics"], *SCALARS}
        json.dumps([detector.state(), detector.summary()], allow_nan=False)
