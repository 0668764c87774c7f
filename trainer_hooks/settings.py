"""What `start` was asked for: arguments, else `SQD_` variables, else defaults, checked once."""

import json
import os
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from trainer_hooks.errors import SettingError
from trainer_hooks.keys import check_run

#: Host bytes the hooks may hold (contract: 256 MiB).
BUDGET_BYTES = 256 * 2**20
#: Smallest budget that holds the projections of two networks and a chunk of samples on their way.
MIN_BUDGET_BYTES = 8 * 2**20
#: Samples of one batch (paper: about 2000).
SAMPLES = 2000
#: Seconds that leaving the process may take to flush (contract).
FLUSH_TIMEOUT_S = 10.0
#: Share of the training thread's time that snapshots may take (contract: 2%).
MAX_OVERHEAD = 0.02
MODES = ("background", "disabled")
FORMS = ("auto", "full", "sketch")
#: What a Redis URL begins with.
SCHEMES = ("redis", "rediss", "unix")
#: Spellings of a switch in the environment.
SWITCHES = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


@dataclass(frozen=True, slots=True)
class Settings:
    """Checked settings of one run; the fields are the arguments of `start`."""

    run: str
    redis_url: str | None
    blob_url: str | None
    home: Path
    weights: str
    weights_every: int
    samples: int
    samples_every: int | str
    metrics: tuple[str, ...] | None
    resume: bool
    mode: str
    max_overhead: float
    budget_bytes: int
    flush_timeout_s: float
    strict: bool
    config: dict[str, Any]
    tags: tuple[str, ...]

    def described(self) -> dict[str, Any]:
        """What the dashboard shows of them, as JSON; holds no secret."""
        return {
            **self.config,
            "weights": self.weights,
            "weights_every": self.weights_every,
            "samples": self.samples,
            "samples_every": self.samples_every,
            "metrics": list(self.metrics) if self.metrics else None,
            "host": socket.gethostname(),
            "pid": os.getpid(),
        }


def default_run() -> str:
    """Host, date and process: a run name where none was given."""
    host = "".join(c if c.isprintable() and c != "/" else "-" for c in socket.gethostname()[:64])
    return f"{host}-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"


def read_settings(environment: Mapping[str, str] = os.environ, /, **given: Any) -> Settings:
    """Settings from the arguments of `start` (None: not given), `SQD_` variables and defaults.

    Raises:
        SettingError: a value is out of bounds; names the setting, the value and the bound.
        BadNameError: the run's name breaks the naming rule.
    """

    def pick(name: str, default: Any) -> Any:
        value = given.get(name)
        return environment.get(f"SQD_{name.upper()}", default) if value is None else value

    return Settings(
        run=check_run(pick("run", None) or default_run()),
        redis_url=_url("redis_url", pick("redis_url", None)),
        blob_url=_url("blob_url", pick("blob_url", None)),
        home=Path(os.path.expanduser(pick("home", None) or "~/.sqd")),  # noqa: PTH111
        weights=_choice("weights", pick("weights", "auto"), FORMS),
        weights_every=_whole("weights_every", pick("weights_every", 1)),
        samples=_whole("samples", pick("samples", SAMPLES)),
        samples_every=_samples_every(pick("samples_every", "auto")),
        metrics=_words("metrics", pick("metrics", None)),
        resume=_switch("resume", pick("resume", False)),
        mode=_choice("mode", pick("mode", "background"), MODES),
        max_overhead=_number("max_overhead", pick("max_overhead", MAX_OVERHEAD), 1e-6, 1.0),
        budget_bytes=_whole("budget_bytes", pick("budget_bytes", BUDGET_BYTES), MIN_BUDGET_BYTES),
        flush_timeout_s=_number(
            "flush_timeout_s", pick("flush_timeout_s", FLUSH_TIMEOUT_S), 0.0, 3600.0
        ),
        strict=_switch("strict", pick("strict", False)),
        config=_json_object(given.get("config")),
        tags=_words("tags", pick("tags", ())) or (),
    )


def find_redis(settings: Settings) -> str | None:
    """URL of the durable Redis, or None if nobody says where it is.

    An explicit URL wins, then the environment, then the file that a running `sqd up` leaves in its
    home. Read again at every connection attempt, so a trainer may start before `sqd up`.
    """
    if settings.redis_url:
        return settings.redis_url
    try:
        return str(json.loads((settings.home / "endpoint").read_text())["redis_url"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _choice(name: str, value: Any, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise SettingError(f"{name} is {value!r}; allowed are {', '.join(allowed)}")
    return str(value)


def _url(name: str, value: Any) -> str | None:
    if value is None or value == "":
        return None
    try:
        parts = urlsplit(value)
        usable = parts.scheme in SCHEMES and (parts.port is None or parts.port > 0)
    except (AttributeError, TypeError, ValueError):
        usable = False
    if not usable:
        # The value itself stays out of the message: it may hold a password.
        raise SettingError(f"{name} is no Redis URL; expected redis://[:password@]host[:port][/db]")
    return str(value)


def _words(name: str, value: Any) -> tuple[str, ...] | None:
    if value is None:
        return None
    if isinstance(value, str):
        return tuple(word.strip() for word in value.split(",") if word.strip())
    if not isinstance(value, list | tuple | set | frozenset):
        raise SettingError(f"{name} is {value!r}; expected a list of words")
    return tuple(str(word) for word in value)


def _switch(name: str, value: Any) -> bool:
    switched = value if isinstance(value, bool) else SWITCHES.get(str(value).lower())
    if switched is None:
        raise SettingError(f"{name} is {value!r}; allowed are {', '.join(SWITCHES)}")
    return switched


def _whole(name: str, value: Any, least: int = 1) -> int:
    try:
        number = int(value)
        if isinstance(value, bool) or (isinstance(value, float) and number != value):
            raise ValueError(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise SettingError(f"{name} is {value!r}; expected a whole number") from error
    if number < least:
        raise SettingError(f"{name} is {number}; the least is {least}")
    return number


def _number(name: str, value: Any, least: float, most: float) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError) as error:
        raise SettingError(f"{name} is {value!r}; expected a number") from error
    if not least <= number <= most:
        raise SettingError(f"{name} is {number}; allowed are {least} to {most}")
    return number


def _samples_every(value: Any) -> int | str:
    if value in ("auto", "epoch"):
        return str(value)
    try:
        return _whole("samples_every", value)
    except SettingError as error:
        raise SettingError(
            f"samples_every is {value!r}; expected a number of steps ≥ 1, 'epoch' or 'auto'"
        ) from error


def _json_object(config: Any) -> dict[str, Any]:
    if config is None:
        return {}
    if not isinstance(config, dict):
        raise SettingError(f"config is a {type(config).__name__}; expected a dict")
    try:
        copy: dict[str, Any] = json.loads(json.dumps(config, default=str, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise SettingError(f"config cannot be written as JSON: {error}") from error
    return copy
