"""One tree of errors for the hooks. Only `start` and `strict=True` let them reach a trainer."""


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


class WireError(HookError):
    """Bytes that are no valid frame, or a frame beyond a limit."""


class LinkError(HookError):
    """Redis is away or refuses: the sender waits and tries again."""
