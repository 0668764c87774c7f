"""A progress bar with rate and time left, on standard error."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text


class _Rate(ProgressColumn):
    """Units per second of this call; what an earlier one did says nothing of it."""

    def render(self, task: Task) -> Text:
        done = task.completed - task.fields["found"]
        rate = f"{done / task.elapsed:.3g} {task.fields['unit']}/s" if task.elapsed else ""
        return Text(rate if done else "")


@contextmanager
def progress_bar(what: str, unit: str, total: int) -> Iterator[Callable[..., None]]:
    """Yields a function that is told how many of `total` are done, and what else to show.

    Args:
        what: is done.
        unit: of `total`, for the rate.
        total: when it is complete.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Rate())
    more = TextColumn("{task.fields[more]}", markup=False)
    console = Console(stderr=True)
    with Progress(*columns, TimeRemainingColumn(), more, console=console) as progress:

        def told(done: int, more: str = "") -> None:
            if progress.task_ids:
                progress.update(progress.task_ids[0], completed=done, more=more)
            else:
                progress.add_task(
                    what, total=total, completed=done, found=done, unit=unit, more=more
                )

        yield told
