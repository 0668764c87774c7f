"""What the server answers, as types (docs/api.md; `/openapi.json` describes every field)."""

from typing import Any, TypedDict


class Point(TypedDict):
    """The newest point of one metric."""

    step: int
    epoch: float | None
    time: float
    value: float | None
    stderr: float | None
    n: int
    status: str


class Verdict(TypedDict):
    """How a run does, in one sentence."""

    level: str
    text: str


class LastAlert(TypedDict):
    """The newest alert, in short."""

    kind: str
    step: int | None
    severity: str
    message: str


class Alert(LastAlert):
    """A turning point or another event of a run."""

    id: str
    run: str
    detected_step: int | None
    metrics: list[str]
    time: float
    rule: str | None
    follows: str | None
    acknowledged: float | None
    muted_until: float | None
    resolved: float | None


class RuleInfo(TypedDict):
    """A rule that raises alerts."""

    id: str
    name: str
    when: str
    run: str | None
    severity: str
    cooldown: str
    clear: str | None
    action: str
    source: str


class Stop(TypedDict):
    """A request to stop."""

    asked: float
    by: str
    reason: str
    told: float | None


class Limits(TypedDict):
    """What is kept of a run, where that differs from all others."""

    days: float | None
    bytes: int | None
    grids: int | None


class RunSummary(TypedDict):
    """A run as the list shows it."""

    id: str
    status: str
    started: float
    finished: float | None
    crash: str | None
    last_step: int | None
    last_time: float | None
    tags: list[str]
    latest: dict[str, Point]
    verdict: Verdict
    open_alerts: int
    last_alert: LastAlert | None


class RunDetail(RunSummary):
    """Everything of one run beside its series."""

    config: dict[str, Any]
    networks: dict[str, dict[str, Any]]
    metrics: list[str]
    tensor_metrics: list[str]
    segments: list[dict[str, Any]]
    drops: dict[str, int]
    problems: list[dict[str, Any]]
    lag: dict[str, float]
    worker: dict[str, Any]
    quality: dict[str, Any] | None
    diversity: dict[str, Any] | None
    stop: Stop | None
    checkpoints: list[dict[str, Any]]
    limits: Limits


class SeriesColumns(TypedDict):
    """The points of one metric, as columns of equal length."""

    step: list[int]
    epoch: list[float | None]
    time: list[float]
    value: list[float | None]
    stderr: list[float | None]
    n: list[int]
    status: list[str]


class Modes(TypedDict):
    """The mode histogram of one batch."""

    step: int
    n: int
    embedder: str
    reference: str
    counts: list[int]
    expected: list[float]
    labels: list[str] | None
    over_represented: list[dict[str, Any]]
    under_represented: list[dict[str, Any]]
