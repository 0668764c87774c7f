"""Early warnings on seeded streams: at which exact step they come and go, and what they say."""

import math

import numpy as np
import pytest

from monitor.turning import TurningPointDetector
from monitor.turning.early import KINDS, MAX_GAUGES
from monitor.types import TurningPoint
from tests.turning.streams import Record, angles, noisy, play

#: A discriminator's loss that sinks to nothing and comes back.
SATURATING = angles(1, [1.2] * 2000 + [0.01] * 2000 + [1.2] * 2000, 0.3)
GENERATOR, DISCRIMINATOR = angles(4, [0.004] * 20_000, 0.1), angles(3, [0.002] * 20_000, 0.2)


def each_step(**metrics: list[float]) -> list[Record]:
    """Losses are named ``loss_D`` here."""
    count = min(map(len, metrics.values()))
    named = {name.replace("_", "."): series for name, series in metrics.items()}
    return [(i + 1, {name: series[i] for name, series in named.items()}) for i in range(count)]


def brief(found: list[TurningPoint]) -> list[tuple[str, int, int]]:
    return [(point.kind, point.step, point.detected_step) for point in found]


def test_a_saturated_discriminator_is_warned_of_until_it_is_over() -> None:
    first, second = play(each_step(loss_D=SATURATING))
    assert brief([first, second]) == [
        ("discriminator_saturated", 2049, 2393),
        ("recovered", 4038, 4437),
    ]
    assert (first.severity, first.metrics) == ("warning", ("loss.D",))
    assert first.message == (
        "The discriminator is saturated since step 2,049: loss.D is 0.7% of its usual size "
        "(0.0097 of 1.3). An early warning: trainings have collapsed from here."
    )
    assert second.severity == "info"
    assert second.closes == (("discriminator_saturated", 2049),)
    assert second.message == (
        "Recovered: the discriminator is no longer saturated since step 4,038 (warned of at step "
        "2,049)."
    )


def test_a_burst_does_not_make_what_follows_look_small() -> None:
    burst = [1.2] * 2000 + [3000.0] * 50 + [60.0] * 50 + [4.0] * 100 + [1.0] * 3000
    assert play(each_step(loss_D=angles(1, burst, 0.3))) == []


def test_a_critic_has_no_floor_to_be_saturated_at() -> None:
    assert play(each_step(loss_D=[-3.0] * 2000 + [-0.01] * 1000 + [0.001] * 1000)) == []


def test_a_generator_without_a_gradient_is_starved() -> None:
    gradient = angles(2, [2.0] * 3000 + [0.01] * 1500 + [2.0] * 1500, 0.3)
    first, second = play(each_step(grad_G=gradient))
    assert brief([first, second]) == [("generator_starved", 3063, 3462), ("recovered", 4538, 4937)]
    assert "grad.G is 0.5% of its usual size" in first.message


@pytest.mark.parametrize(("loss", "starved"), [(1.2, False), (0.01, True)])
def test_less_is_needed_while_the_discriminator_is_saturated(loss: float, starved: bool) -> None:
    losses = angles(1, [1.2] * 2000 + [loss] * 4000, 0.3)
    gradient = angles(2, [2.0] * 3000 + [0.12] * 3000, 0.1)
    kinds = [point.kind for point in play(each_step(loss_D=losses, grad_G=gradient))]
    assert ("generator_starved" in kinds) == starved


def test_jumps_of_stability_one_after_the_other_are_an_oscillation() -> None:
    jumping = [
        x * (40 if 3000 <= i < 6000 and i % 350 < 50 else 1) for i, x in enumerate(DISCRIMINATOR)
    ]
    found = [p for p in play(each_step(S_D=jumping[:12_000])) if "oscillat" in p.message]
    assert [(p.kind, p.step) for p in found] == [("oscillating", 3138)]
    assert "S.D jumped 3 times (up to" in found[0].message


def test_a_jump_or_two_are_none() -> None:
    jumping = [
        x * (40 if i in range(3000, 3050) or i in range(3400, 3450) else 1)
        for i, x in enumerate(DISCRIMINATOR[:6000])
    ]
    assert {p.kind for p in play(each_step(S_D=jumping))} == {"stability", "recovered"}


def test_networks_that_drift_apart_slowly() -> None:
    rise = np.exp(np.clip((np.arange(20_000) - 6000) / 6000, 0, 1) * 1.6)
    rising = (np.array(DISCRIMINATOR) * rise).tolist()
    found = play(each_step(S_G=GENERATOR, S_D=rising))
    assert found[0].kind == "divergence"
    assert 6000 < found[0].step < found[0].detected_step < 13_000
    assert found[0].metrics == ("S.D", "S.G")
    assert f"S.D and S.G drift apart since step {found[0].step:,}: S.D rose" in found[0].message
    together = play(each_step(S_G=(np.array(GENERATOR) * rise).tolist(), S_D=rising))
    assert [point for point in together if point.kind == "divergence"] == []


def test_one_network_that_settles_below_the_other_is_none() -> None:
    sinking = np.array(GENERATOR) * np.exp(-np.linspace(0, 2.5, 20_000))
    assert play(each_step(S_G=sinking.tolist(), S_D=DISCRIMINATOR)) == []


def test_a_training_that_stands_still() -> None:
    still = GENERATOR[:1000] + [0.0] * 1000 + GENERATOR[:1000]
    first, second = play(each_step(S_G=still, loss_G=noisy(5, [0.7] * 3000, 0.05)))
    assert brief([first, second]) == [("stalled", 1001, 1200), ("recovered", 2001, 2001)]
    assert first.message.endswith(
        "S.G is 0 (under a millionth of a radian) in 200 pushes while loss.G moves nowhere."
    )


def test_a_network_that_rests_while_the_losses_move_does_not() -> None:
    still = GENERATOR[:1000] + [0.0] * 2000
    moving = noisy(5, [0.7] * 1000 + (0.7 + np.arange(2000) / 500).tolist(), 0.05)
    assert play(each_step(S_G=still, loss_G=moving)) == []
    assert play(each_step(S_G=still)) == []


def test_sensitivity_sets_how_long_a_state_must_hold() -> None:
    came = [
        play(each_step(loss_D=SATURATING), TurningPointDetector(name))[0].detected_step
        for name in ("high", "normal", "low")
    ]
    assert came == sorted(set(came))


def test_what_holds_is_in_the_summary() -> None:
    detector = TurningPointDetector()
    play(each_step(loss_D=SATURATING[:3000]), detector)
    assert detector.summary() == {
        "metrics": {},
        "warnings": [{"kind": "discriminator_saturated", "step": 2049, "metrics": ["loss.D"]}],
        "broken": [],
    }
    play([(i + 1, {"loss.D": x}) for i, x in enumerate(SATURATING) if i >= 3000], detector)
    assert detector.summary()["warnings"] == []


def test_a_run_that_goes_back_before_a_warning_may_be_warned_again() -> None:
    detector, records = TurningPointDetector(), each_step(loss_D=SATURATING[:3000])
    first = play(records, detector)
    again = play(records[1500:], detector)
    assert [point.kind for point in first] == [point.kind for point in again]
    assert detector.summary()["warnings"][0]["step"] == again[0].step


def test_noise_that_is_not_finite_and_a_flood_of_names_do_no_harm() -> None:
    detector = TurningPointDetector()
    for step in range(300):
        values = {f"loss.{i}": math.nan if step % 7 == 0 else 1e308 for i in range(1000)}
        assert detector.update(step, values) == []
    assert len(detector.state()["early"]["gauges"]) == MAX_GAUGES
    assert set(detector.state()["early"]["conditions"]) == set(KINDS)
