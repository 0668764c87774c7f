"""How a training ends: of itself, or of an error that nobody caught."""

import sys

from trainer_hooks.errors import message_of


def crash_of(error: BaseException | None) -> str:
    """One line on an error that ends a training; "" where none does.

    Ctrl-C and `sys.exit` are somebody's will, and no error.
    """
    return message_of(error) if isinstance(error, Exception) else ""


def crash_at_exit() -> str:
    """Likewise, on the error that ends this process, as the interpreter has printed it.

    At a prompt (Python's, IPython's, a notebook's) an error ends nothing: "".
    """
    if hasattr(sys, "ps1") or sys.flags.interactive:
        return ""
    return crash_of(getattr(sys, "last_value", None))
