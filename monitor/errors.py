"""One tree of errors: every message names the value, its bound and what to do."""


class MonitorError(Exception):
    """Base of every error that the monitor raises on purpose; printed as one line, exit code 1."""


class SettingsError(MonitorError):
    """A setting has a bad value; the message names the key, the value and where it came from."""


class LimitsError(MonitorError):
    """A run's own limit is out of bounds; the message names it, its value and the bound."""


class StoreError(MonitorError):
    """Redis answered something that the store cannot use."""


class StoreUnavailableError(StoreError):
    """Redis cannot be reached; says which address and since when."""


class UnknownRunError(StoreError):
    """No run has this id."""


class UnknownAlertError(StoreError):
    """The run has no such alert."""


class UnknownRuleError(StoreError):
    """No rule has this id."""


class UnknownMetricError(StoreError):
    """The run has no such metric."""


class ImageError(MonitorError):
    """Images have a wrong rank, channel count, dtype or size."""


class WeightsError(MonitorError):
    """Weight vectors that cannot be compared: sizes differ, or there is nothing in them."""


class ReferenceError(MonitorError):
    """A reference set is missing, damaged or belongs to another embedder."""


class EmbedderError(MonitorError):
    """An embedder cannot be loaded, or its model has another contract."""


class EvaluatorError(MonitorError):
    """An evaluator cannot be loaded, raised, or gave something that is no score or feature."""


class RuleError(MonitorError):
    """A rule cannot be understood; says what is wrong and what is expected."""


class ChannelError(MonitorError):
    """A channel's address is not one, or a notice was not taken; never names the address."""


class ArchiveError(MonitorError):
    """A run cannot be archived now, or a file is no archive that can be imported; says why."""


class ReplayError(MonitorError):
    """A line of recorded points cannot be read; names file, line and reason."""


class ClientError(MonitorError):
    """A server refused, or did not answer.

    Attributes:
        status: of its answer; 0 if there was none.
    """

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status
