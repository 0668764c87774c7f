"""Visual quality Q: MTCNN face probability."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from monitor.quality.faces import Detection, FaceQuality

__all__ = ["Detection", "FaceQuality"]


def __getattr__(name: str) -> Any:
    # Importing this package must not cost the four seconds of torch and facenet-pytorch.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from monitor.quality import faces

    return getattr(faces, name)
