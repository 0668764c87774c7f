"""Shared options: each is a field of `Settings`, and is spelt nowhere else."""

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from monitor.config import Settings, load_settings
from monitor.errors import SettingsError
from monitor.logs import configure

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
#: Options of every command that talks to Redis, and of those that start something.
REDIS = ("redis_url", "home")
WORKER = (
    *REDIS,
    "blob_url",
    "device",
    "quality",
    "embedder",
    "reference",
    "max_batch_bytes",
    "max_gpu_bytes",
    "evaluator_timeout_s",
)
LOGS = ("verbose", "log_format")
RETENTION = ("retain_days", "retain_bytes", "retain_grids")
SERVER = (
    *(*REDIS, "blob_url", "host", "port", "token", "read_token", "public_url", "sensitivity"),
    *RETENTION,
)


def takes_settings(*names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the shared options `names` and those of logs.

    Args:
        names: fields of `Settings`. The command gets the settings as its first argument.
    """
    chosen = [name for name in Settings.model_fields if name in (*names, *LOGS)]
    shared = [
        inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=_annotation(name)
        )
        for name in chosen
    ]

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def wrapped(**given: Any) -> None:
            try:
                settings = load_settings(**{name: given.pop(name) for name in chosen})
            except SettingsError as error:
                raise typer.BadParameter(str(error)) from error
            configure(verbose=settings.verbose, form=settings.log_format)
            command(settings, **given)

        own = list(inspect.signature(command).parameters.values())[1:]
        parameters = [*own, *shared]
        # What typer reads; `settings` itself comes from no option.
        wrapped.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        wrapped.__annotations__ = {each.name: each.annotation for each in parameters}
        return wrapped

    return decorate


def _annotation(name: str) -> Any:
    field = Settings.model_fields[name]
    shown = f" (default {field.default})" if field.default else ""
    told = f"{str(field.description).removesuffix('.')}{shown}."
    if name == "verbose":
        return Annotated[bool | None, typer.Option("--verbose", help=told)]
    kind = Settings.model_fields[name].annotation
    if kind not in (int, float, Path):
        kind = str
    return Annotated[kind | None, typer.Option(help=told)]
