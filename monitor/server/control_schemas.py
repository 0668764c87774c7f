"""The JSON of what leads back to a trainer, and of what is asked of its run (docs/api.md)."""

from pydantic import BaseModel, ConfigDict, Field

from monitor.store.control import MOST_BY, MOST_REASON
from monitor.store.limits import LEAST_GRIDS, MOST_GRIDS


class StopRequest(BaseModel):
    """Who asks a trainer to stop, and why."""

    by: str = Field(default="rest", max_length=MOST_BY, examples=["page"])
    reason: str = Field(default="", max_length=MOST_REASON, examples=["the images repeat"])


class StopInfo(BaseModel):
    """A request to stop, which the trainer follows or not."""

    asked: float = Field(description="Unix seconds", examples=[1795300071.3])
    by: str = Field(examples=["rest"])
    reason: str = Field(examples=["the images repeat"])
    told: float | None = Field(description="when the trainer heard it, Unix seconds")


class PinnedInfo(BaseModel):
    """The newest checkpoint from before a change, on the trainer's disk."""

    step: int = Field(description="after which it was taken", examples=[10500])
    path: str = Field(examples=["/root/.sqd/checkpoints/demo-a1b2c3/step-000000010500-000021.pt"])
    host: str = Field(examples=["box"])
    pinned: bool = Field(description="false: the trainer had ended before the alert came")
    alert: str = Field(description="id of the alert that it is for")


class LimitsInfo(BaseModel):
    """What is kept of a run, where that differs from the server's settings; null: as for all."""

    model_config = ConfigDict(extra="forbid")

    days: float | None = Field(
        None,
        ge=0,
        allow_inf_nan=False,
        description="after its end until it is removed; 0: never",
        examples=[90],
    )
    bytes: int | None = Field(
        None,
        ge=0,
        description="pictures are thinned while it takes more, then it is removed; 0: never",
        examples=[2_000_000_000],
    )
    grids: int | None = Field(
        None,
        ge=LEAST_GRIDS,
        le=MOST_GRIDS,
        description="image grids, and mode histograms, kept",
        examples=[100],
    )
