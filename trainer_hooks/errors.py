"""One tree of errors for the hooks. Only `start` and `strict=True` let them reach a trainer."""

#: Longest message that travels to the dashboard, characters: torch's own can fill pages.
MOST_CHARACTERS = 500


class HookError(Exception):
    """Base of every error of the hooks."""


class SettingError(HookError, ValueError):
    """A setting of `start` or an `SQD_` variable has a bad value."""


class BadNameError(HookError, ValueError):
    """A run, network, tensor or scalar name breaks the naming rule."""


class NetworkError(HookError, ValueError):
    """A network has no weights, is given twice, or holds something that is no weight."""


class SamplesError(HookError, ValueError):
    """A sample batch has a wrong rank, channel count, dtype or range, or its callable failed."""


class CaptureError(HookError):
    """A call came while the trainer captures a CUDA graph."""


class WireError(HookError):
    """Bytes that are no valid frame, or a frame beyond a limit."""


class LinkError(HookError):
    """Redis is away or refuses: the sender waits and tries again."""


class OwnerAwayError(LinkError):
    """Rank 0 of a sharded training has not registered the run yet: the member waits for it."""


class RunDeletedError(LinkError):
    """Somebody deleted the run; nothing more is to be sent."""


class RunLostError(LinkError):
    """Redis came back empty: the run must register again."""


class BudgetUsedError(LinkError):
    """The worker has not yet processed what is already there."""


class CheckpointError(HookError):
    """A checkpoint cannot be taken, found or loaded."""


class SpoolBusyError(HookError):
    """What lies on disk belongs to a trainer that still runs."""


def message_of(error: BaseException) -> str:
    """One line for people: the error's message, and its type unless it is ours."""
    try:
        text = " ".join(str(error).split())
    except Exception:  # An error of somebody's own, whose words are broken.
        text = ""
    if not isinstance(error, HookError):
        text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    # Text that is no Unicode (a lone surrogate in a file name) could not be sent.
    return text.encode(errors="replace").decode()[:MOST_CHARACTERS]
