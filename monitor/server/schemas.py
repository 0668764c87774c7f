"""The JSON that REST answers with, as /openapi.json describes it (docs/api.md)."""

import math
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field

from monitor.server.control_schemas import LimitsInfo, PinnedInfo, StopInfo
from monitor.server.measured_schemas import DiversityInfo, QualityInfo, RemeasuredInfo
from monitor.types import Severity, Status


def _finite(value: Any) -> Any:
    """JSON has no NaN and no infinity: what is not finite is missing."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


Number = Annotated[float | None, BeforeValidator(_finite)]
RunStatus = Literal["running", "finished", "lost"]
Level = Literal["healthy", "learning", "warning", "turned", "lost", "finished"]


class ErrorDetail(BaseModel):
    """What went wrong, in one sentence."""

    detail: str = Field(examples=["no run is called 'demo'"])


class LatestPoint(BaseModel):
    """The newest point of one metric."""

    step: int = Field(examples=[1200])
    epoch: Number = Field(default=None, description="as the trainer said it", examples=[600.0])
    time: float = Field(description="Unix seconds of the push", examples=[1795300071.3])
    value: Number = Field(description="null where it could not be computed", examples=[0.0031])
    stderr: Number = Field(default=None, description="standard error, in the metric's unit")
    n: int = Field(default=1, description="samples; for S the lag in steps")
    status: Status = "ok"


class Verdict(BaseModel):
    """How the run does, in one sentence."""

    level: Level = Field(description="`learning`: too few points to judge")
    text: str = Field(examples=["Healthy: Q 0.91, D 3.1 of 4.6; S.G 0.0031 rad."])


class LastAlert(BaseModel):
    """The newest alert, in short."""

    kind: str
    step: int | None
    severity: Severity
    message: str


class RunSummary(BaseModel):
    """A run as the list shows it."""

    id: str = Field(examples=["demo"])
    status: RunStatus
    started: float = Field(description="Unix seconds", examples=[1795300000.0])
    finished: float | None = Field(description="Unix seconds; null while it runs")
    crash: str | None = Field(
        description="error that ended the trainer, which is lost then", examples=[None]
    )
    last_step: int | None = Field(description="of the newest point", examples=[1200])
    last_time: float | None = Field(description="Unix seconds of the newest point")
    tags: list[str] = Field(examples=[["demo"]])
    latest: dict[str, LatestPoint] = Field(description="whole-network metrics and scalars")
    verdict: Verdict
    open_alerts: int = Field(
        description="warnings and worse, neither over nor acknowledged", examples=[1]
    )
    last_alert: LastAlert | None


class Network(BaseModel):
    """What is pushed of one network."""

    parameters: int = Field(examples=[1100000])
    tensors: int = Field(examples=[14])
    weights: str = Field(description="`full` or `sketch`", examples=["full"])


class Rewind(BaseModel):
    """A push whose step was lower than that of the push before it."""

    step: int = Field(examples=[800])
    time: float = Field(description="Unix seconds of the push", examples=[1795300071.3])


class SegmentInfo(BaseModel):
    """One trainer process of the run."""

    id: str
    host: str = Field(examples=["box"])
    started: float = Field(description="Unix seconds")
    first_step: int | None
    last_step: int | None
    rewinds: list[Rewind] = Field(description="where its steps went back, oldest first")


class ProblemInfo(BaseModel):
    """What could not be computed."""

    metric: str = Field(examples=["D"])
    status: Status
    count: int = Field(examples=[3])
    first_step: int = Field(examples=[200])
    last_step: int = Field(examples=[600])
    reason: str = Field(examples=["no reference set is loaded"])


class LagInfo(BaseModel):
    """How far the worker is behind the trainer."""

    weights_steps: int = Field(description="newest push to newest S", examples=[2])
    weights_s: float = Field(description="the same in seconds; 0 when nothing waits")
    samples_steps: int = Field(description="newest batch to newest Q", examples=[200])
    samples_s: float
    queued_jobs: int = Field(description="of all runs, those being worked on included")
    outstanding_bytes: int = Field(description="of this run, not yet processed")
    dead_letters: int = Field(description="jobs of all runs given up after repeated failure")


class NoWorker(BaseModel):
    """No worker is alive."""

    seen: Literal[False] = False


class WorkerInfo(BaseModel):
    """The living worker that beat last, of those that compute Q and D if there is one."""

    seen: Literal[True] = True
    age_s: float = Field(description="seconds since its last heartbeat")
    device: str | None = Field(default=None, examples=["cpu"])
    provider: str | None = Field(default=None, examples=["CPUExecutionProvider"])
    embedder: str | None = Field(default=None, examples=["faces100"])
    reference: str | None = Field(default=None, examples=["faces100"])
    quality: str | None = Field(default=None, examples=["mtcnn"])
    images_per_s: Number = Field(default=None, examples=[71.0])


class RunDetail(RunSummary):
    """Everything of one run beside its series."""

    config: dict[str, Any] = Field(description="as the trainer said")
    networks: dict[str, Network]
    metrics: list[str] = Field(description="whole-network metrics and scalars, sorted")
    tensor_metrics: list[str] = Field(description="S of single tensors, sorted")
    segments: list[SegmentInfo] = Field(description="in the order they began")
    drops: dict[str, int] = Field(description="what was lost, by reason")
    problems: list[ProblemInfo]
    lag: LagInfo
    worker: WorkerInfo | NoWorker
    quality: QualityInfo | None = Field(description="null until a Q point came")
    diversity: DiversityInfo | None = Field(description="null until a D point came")
    remeasured: list[RemeasuredInfo] = Field(description="in the order of steps; not those hidden")
    stop: StopInfo | None = Field(description="null unless its trainer is asked to stop")
    checkpoints: list[PinnedInfo] = Field(description="from before turning points, oldest first")
    limits: LimitsInfo


class SeriesColumns(BaseModel):
    """The points of one metric as columns of equal length, steps ascending."""

    step: list[int] = Field(examples=[[1, 2]])
    epoch: list[float | None] = Field(examples=[[0.5, 1.0]])
    time: list[float] = Field(examples=[[1795300000.1, 1795300000.2]])
    value: list[float | None] = Field(examples=[[0.004, 0.0039]])
    stderr: list[float | None] = Field(examples=[[None, None]])
    n: list[int] = Field(examples=[[1, 1]])
    status: list[Status] = Field(examples=[["ok", "ok"]])


class ModeCount(BaseModel):
    """One mode of the reference set in one batch."""

    mode: int = Field(examples=[17])
    label: str | None = Field(default=None, examples=["face 17"])
    count: int = Field(examples=[60])
    expected: float = Field(examples=[5.0])


class Modes(BaseModel):
    """The mode histogram of one batch."""

    step: int = Field(examples=[600])
    n: int = Field(description="samples in the batch", examples=[500])
    embedder: str = Field(examples=["faces100"])
    reference: str = Field(examples=["faces100"])
    counts: list[int] = Field(description="(m,) samples nearest to each mode")
    expected: list[float] = Field(description="(m,) the same if all modes came as in the data")
    labels: list[str] | None = Field(default=None, description="(m,) null where m is over 256")
    over_represented: list[ModeCount] = []
    under_represented: list[ModeCount] = []


class Login(BaseModel):
    """A token, to be exchanged for a cookie."""

    token: str = Field(max_length=4096)
    next: str = Field(default="/", max_length=4096, description="path to go on to, after a form")


class Session(BaseModel):
    """What a caller may do."""

    role: Literal["write", "read"]
    cookie: bool = Field(description="whether it came with a cookie, which logout takes back")


class Health(BaseModel):
    """The server answers."""

    status: Literal["ok"] = "ok"


class Readiness(BaseModel):
    """Whether points can be taken, evaluated and shown."""

    redis: bool
    worker: bool
