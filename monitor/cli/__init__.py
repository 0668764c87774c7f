"""The command line: one file a command, errors as one clear line."""

import os
import signal
import sys

import typer

from monitor.cli import (
    alerts,
    archive,
    demo,
    doctor,
    export,
    import_,
    keep,
    reference,
    replay,
    rewind,
    runs,
    server,
    sync,
    up,
    worker,
)
from monitor.errors import MonitorError
from trainer_hooks.errors import HookError

#: What a shell expects of a program that was interrupted.
INTERRUPTED = 130
#: typer's own error of bad usage, wherever it keeps it.
UsageError: type[Exception] = typer.BadParameter.__mro__[1]

app = typer.Typer(
    name="sqd",
    help="Watch the training of a generative model: stability, quality, diversity.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    up,
    demo,
    worker,
    server,
    sync,
    runs,
    export,
    archive,
    import_,
    keep,
    rewind,
    replay,
    doctor,
):
    app.command(command.NAME, help=command.__doc__)(command.run)
app.add_typer(alerts.app, name="alerts", help=alerts.__doc__)
app.add_typer(reference.app, name="reference", help=reference.__doc__)


def main() -> None:
    """Run `sqd`: exit 0 on success, 1 on failure, 2 on bad usage."""
    # `kill` and container engines send it; what is running is stopped as by Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        code = app(prog_name="sqd", standalone_mode=False)
        sys.stdout.flush()
        sys.exit(code)
    except (MonitorError, HookError) as error:
        _end(f"sqd: {error}", 1)
    except (KeyboardInterrupt, typer.Abort):
        sys.exit(INTERRUPTED)
    except UsageError as error:
        _end(_one_line(error), 2)
    except OSError as error:
        # What is still to be written would fail once more, at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):  # `| head` has seen enough
            sys.exit(1)
        name = f"{error.filename}: " if error.filename else ""
        _end(f"sqd: {name}{error.strerror or error}", 1)


def _one_line(error: Exception) -> str:
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "sqd"
    said: str = getattr(error, "format_message", error.__str__)()
    said = said.strip().removesuffix(".") or "no command is given"
    return f"{command}: {said} (see `{command} --help`)"


def _end(message: str, code: int) -> None:
    print(message, file=sys.stderr)
    sys.exit(code)


__all__ = ["app", "main"]
