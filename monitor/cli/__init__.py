"""The command line: one file a command, errors as one clear line."""

import os
import sys

# Before NumPy is imported. The worker's sums are short: OpenBLAS threads that spin for each other
# on busy cores made an angle nine times slower (73 instead of 8 ms), and they take the training's
# cores.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import typer

from monitor.cli import demo, doctor, export, reference, replay, runs, server, up, worker
from monitor.errors import MonitorError
from trainer_hooks.errors import HookError

app = typer.Typer(
    name="sqd",
    help="Watch the training of a generative model: stability, quality, diversity.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (up, demo, worker, server, runs, export, replay, doctor):
    app.command(command.NAME, help=command.__doc__)(command.run)
app.add_typer(reference.app, name="reference", help=reference.__doc__)


def main() -> None:
    """Run `sqd`: exit 0 on success, 1 on failure, 2 on bad usage."""
    try:
        app()
    except (MonitorError, HookError) as error:
        print(f"sqd: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


__all__ = ["app", "main"]
