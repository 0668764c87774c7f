"""Families of Prometheus samples, as `/metrics` shows them."""

from collections.abc import Iterable, Mapping
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.utils import floatToGoString

from monitor.store.counters import Histogram

#: By the values of the labels, a tuple of texts.
Values = Mapping[Any, float]
Family = GaugeMetricFamily | CounterMetricFamily | HistogramMetricFamily


def gauge(name: str, text: str, value: float) -> Family:
    """One number that goes up and down."""
    return GaugeMetricFamily(f"sqd_{name}", text, value=value)


def gauges(name: str, text: str, labels: tuple[str, ...], values: Values) -> Family:
    """Numbers that go up and down."""
    family = GaugeMetricFamily(f"sqd_{name}", text, labels=labels)
    for place, value in values.items():
        family.add_metric(place, value)
    return family


def counters(name: str, text: str, labels: tuple[str, ...], values: Values) -> Family:
    """Numbers that only go up; ``_total`` is added to the name."""
    family = CounterMetricFamily(f"sqd_{name}", text, labels=labels)
    for place, value in values.items():
        family.add_metric(place, value)
    return family


def histogram(
    known: Histogram, text: str, label: str, counted: Mapping[str, int], values: Iterable[str]
) -> Family:
    """Durations in seconds by `label`; ``_seconds`` is added to the name."""
    family = HistogramMetricFamily(f"sqd_{known.name}_seconds", text, labels=(label,))
    bounds = [*map(floatToGoString, known.bounds_s), "+Inf"]
    for value in values:
        buckets, sum_s = known.read(counted, value)
        so_far = 0.0
        told = []
        for bound, number in zip(bounds, buckets, strict=True):
            so_far += number
            told.append((bound, so_far))
        family.add_metric((value,), told, sum_s)
    return family
