"""What goes wrong in a call: counted each time, said once, raised only if the trainer wants it."""

import functools
import logging
from collections.abc import Callable
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from trainer_hooks.errors import BadNameError, CaptureError, NetworkError, SamplesError, message_of
from trainer_hooks.push_queue import PushQueue
from trainer_hooks.sayings import Sayings

log = logging.getLogger("trainer_hooks")


class Complaints:
    """The losses of one run that begin in the training thread.

    Args:
        queue: counts them.
        strict: raise errors instead.
    """

    def __init__(self, queue: PushQueue, *, strict: bool) -> None:
        self._queue = queue
        self._strict = strict
        self._sayings = Sayings()
        self._ended = False

    def end(self) -> None:
        """The run has ended: calls that still come are lost."""
        self._ended = True

    def after_end(self, place: str) -> None:
        """Count a call that came too late, if it did: a run that is disabled has no end."""
        if self._ended:
            self._queue.count_dropped("after_finish")
            self.say("after_finish", f"{place} after finish() is not kept: start a new run")

    def about(self, error: Exception, place: str, reason: str = "", topic: str = "") -> None:
        """Count an error of a call, or raise it if `strict`.

        Args:
            error: what was caught.
            place: where, for the message.
            reason: to count it under; default by its type.
            topic: each is said once; default the reason.
        """
        if self._strict:
            raise error
        reason = reason or _reason(error)
        self._queue.count_dropped(reason)
        self.say(topic or reason, f"{place}: {message_of(error)} (counted in Run.dropped)")

    def say(self, topic: str, message: str) -> None:
        """Log a warning, the first time only."""
        if self._sayings.first(topic):
            log.warning("sqd: %s (said once)", message)


def _reason(error: Exception) -> str:
    if isinstance(error, BadNameError):
        return "bad_name"
    if isinstance(error, NetworkError):
        return "bad_network"
    if isinstance(error, CaptureError):
        return "capturing"
    return "bad_samples" if isinstance(error, SamplesError) else "bad_call"


class Pushing(Protocol):
    """What has calls that must not hurt a trainer: `Run`."""

    @property
    def active(self) -> bool:
        """Whether calls do anything."""

    @property
    def complaints(self) -> Complaints:
        """Where errors go."""


Self = TypeVar("Self", bound=Pushing)
P = ParamSpec("P")


def harmless(method: Callable[Concatenate[Self, P], None]) -> Callable[Concatenate[Self, P], None]:
    """Never raise into the trainer, unless `strict`; do nothing while the run is not active."""

    @functools.wraps(method)
    def wrapped(self: Self, /, *args: P.args, **kwargs: P.kwargs) -> None:
        if not self.active:
            self.complaints.after_end(method.__name__)
            return
        try:
            method(self, *args, **kwargs)
        except Exception as error:
            self.complaints.about(error, method.__name__)

    return wrapped
