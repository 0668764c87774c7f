"""The JSON of what Q and D are measured with (docs/api.md)."""

from typing import Any, Literal

from pydantic import BaseModel, Field


class QualityInfo(BaseModel):
    """What Q was measured with."""

    evaluator: str = Field(examples=["mtcnn"])
    sha256: str = Field(description="of what decides its scores")
    settings: dict[str, Any] = Field(examples=[{"min_face_size": 20}])


class DiversityInfo(BaseModel):
    """What D was measured with."""

    embedder: str = Field(examples=["faces100"])
    reference: str = Field(examples=["faces100"])
    embedder_sha256: str = Field(default="", description="of what decides its features")
    reference_sha256: str = Field(default="", description="of its content; empty if not known")
    modes: int = Field(description="m, modes in the reference set", examples=[100])
    ceiling: float = Field(description="ln m, the largest D, nats", examples=[4.605])


class RemeasuredInfo(BaseModel):
    """From this step on a metric is measured with something else; what is before is no measure."""

    metric: Literal["Q", "D"]
    step: int = Field(examples=[5000])
    time: float = Field(description="Unix seconds of the push", examples=[1795305000.0])
    before: str = Field(examples=["faces100 and reference faces100"])
    after: str = Field(examples=["buffalo_l and reference celeba"])
