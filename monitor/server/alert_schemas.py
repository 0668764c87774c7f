"""The JSON of alerts, rules and notices, as /openapi.json describes it (docs/alerts.md)."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from monitor.types import Severity

#: Longest mute, seconds: a month. Who wants more deletes the rule.
MOST_MUTE_S = 30 * 24 * 3600
#: A mute, unless told otherwise, seconds.
MUTE_S = 3600


class Alert(BaseModel):
    """A turning point or another event of a run."""

    id: str
    run: str = Field(examples=["demo"])
    kind: str = Field(examples=["mode_collapse"])
    step: int | None = Field(description="where the change began", examples=[10600])
    detected_step: int | None = Field(description="where it was noticed", examples=[10800])
    metrics: list[str] = Field(description="first the one that moved first", examples=[["D"]])
    severity: Severity
    message: str = Field(examples=["D fell from 3.2 to 1.3."])
    time: float = Field(description="Unix seconds at detection", examples=[1795300071.3])
    rule: str | None = Field(None, description="name of the rule that raised it; else null")
    follows: str | None = Field(
        None, description="id of the alert that told of the same event already; null: it is news"
    )
    acknowledged: float | None = Field(None, description="Unix seconds; null: nobody has yet")
    muted_until: float | None = Field(None, description="Unix seconds; null: it is not muted")
    resolved: float | None = Field(None, description="when it was over, Unix seconds; null: open")


class Mute(BaseModel):
    """For how long an alert and its like are to be silent."""

    seconds: float = Field(default=MUTE_S, ge=0, le=MOST_MUTE_S, description="0 ends a mute")


class Delivery(BaseModel):
    """What became of one notice."""

    alert: str = Field(description="id of the alert")
    channel: str = Field(description="its service and number; never its address")
    state: Literal["sending", "sent", "waiting", "given_up", "muted"]
    tries: int
    time: float = Field(description="of the last change, Unix seconds")
    error: str = Field(description="why the last try failed; empty if it did not")


class NewRule(BaseModel):
    """A rule, as it is made."""

    model_config = ConfigDict(extra="forbid")

    when: str = Field(examples=["D < 2 for 3 batches"])
    name: str | None = Field(None, description="for people; else the condition")
    run: str | None = Field(None, description="id of the run it is for; null: all")
    severity: str | None = Field(None, description="info, warning (default) or critical")
    cooldown: str | None = Field(None, description="to the next alert; default 10 min")
    clear: str | float | None = Field(None, description="value beyond which it is over")
    action: str | None = Field(None, description="`stop`: ask the trainer to stop")


class RuleInfo(BaseModel):
    """A rule that holds."""

    id: str
    name: str = Field(examples=["D < 2 for 3 batches"])
    when: str = Field(examples=["D < 2 for 3 batches"])
    run: str | None = Field(description="id of the run it is for; null: all")
    severity: Severity
    cooldown: str = Field(examples=["10 min"])
    clear: str | None = Field(description="as it was written")
    action: Literal["", "stop"]
    source: Literal["file", "rest"] = Field(description="`file`: of sqd.toml; only there it ends")
