"""How a training ends: of itself, or of an error that nobody caught."""

import atexit
import sys
from collections.abc import Callable
from typing import Any

from trainer_hooks.errors import message_of

#: Before what `multiprocessing` does itself when a child of its own ends.
FIRST = 100


def crash_of(error: BaseException | None) -> str:
    """One line on an error that ends a training; "" where none does.

    Ctrl-C and `sys.exit` are somebody's will, and no error.
    """
    return message_of(error) if isinstance(error, Exception) else ""


def at_exit(end: Callable[[str], None]) -> Callable[[], None]:
    """Call `end` when this process ends, with the `crash_of` it ends of.

    Returns:
        What takes that back.
    """

    def leave() -> None:
        end(crash_of(_ending_error()))

    atexit.register(leave)
    if not _is_child():
        return lambda: atexit.unregister(leave)
    # A child that was forked leaves without what `atexit` knows.
    from multiprocessing.util import Finalize

    last = Finalize(None, leave, exitpriority=FIRST)

    def take_back() -> None:
        atexit.unregister(leave)
        last.cancel()

    return take_back


def _ending_error() -> BaseException | None:
    """The error that ends this process, None where nobody knows of one."""
    error = sys.exc_info()[1]
    if error is not None:  # In a child of `multiprocessing`, which tells it to its parent.
        # `torch.multiprocessing` has caught it, and leaves by another.
        told = isinstance(error, SystemExit) and error.code not in (None, 0)
        return error.__context__ if told else error
    # At a prompt (Python's, IPython's, a notebook's) an error ends nothing.
    at_prompt = hasattr(sys, "ps1") or sys.flags.interactive
    return None if at_prompt else getattr(sys, "last_value", None)


def _is_child() -> bool:
    """Whether `multiprocessing` has started this process; imports nothing for it."""
    process: Any = sys.modules.get("multiprocessing.process")
    return process is not None and process.parent_process() is not None
