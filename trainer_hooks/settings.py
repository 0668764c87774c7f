"""What `start` was asked for: arguments, else `SQD_` variables, else defaults, checked once."""

import itertools
import json
import os
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainer_hooks import bounds
from trainer_hooks.names import check_run

#: Host bytes the hooks may hold (contract: 256 MiB).
BUDGET_BYTES = 256 * 2**20
#: Smallest budget that holds the projections of two networks and a chunk of samples on their way.
MIN_BUDGET_BYTES = 8 * 2**20
#: Samples of one batch (paper: about 2000).
SAMPLES = 2000
#: Bytes on disk that wait for a Redis that is away.
SPOOL_BYTES = 2**30
#: Seconds that leaving the process may take to flush (contract).
FLUSH_TIMEOUT_S = 10.0
#: Share of the training thread's time that snapshots may take (contract: 2%).
MAX_OVERHEAD = 0.02
MODES = ("background", "offline", "disabled")
FORMS = ("auto", "full", "sketch")
#: Default names that this process has: two runs that begin in one second have two.
_default_runs: set[str] = set()


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
    spool_bytes: int
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
    stem = f"{host}-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
    names = itertools.chain([stem], (f"{stem}-{number}" for number in itertools.count(2)))
    name = next(name for name in names if name not in _default_runs)
    _default_runs.add(name)
    return name


def read_settings(environment: Mapping[str, str] = os.environ, /, **given: Any) -> Settings:
    """Settings from the arguments of `start` (None: not given), `SQD_` variables and defaults.

    Raises:
        SettingError: a value is out of bounds; names the setting, the value and the bound.
        BadNameError: the run's name breaks the naming rule.
    """

    def pick(name: str, default: Any) -> Any:
        value = given.get(name)
        # Compose files write variables that are not set as empty ones.
        return (environment.get(f"SQD_{name.upper()}") or default) if value is None else value

    return Settings(
        run=check_run(default_run() if (run := pick("run", None)) is None else run),
        redis_url=bounds.redis_address("redis_url", pick("redis_url", None)),
        blob_url=bounds.redis_address("blob_url", pick("blob_url", None)),
        home=Path(os.path.expanduser(pick("home", None) or "~/.sqd")),  # noqa: PTH111
        weights=bounds.choice("weights", pick("weights", "auto"), FORMS),
        weights_every=bounds.whole("weights_every", pick("weights_every", 1)),
        samples=bounds.whole("samples", pick("samples", SAMPLES)),
        samples_every=bounds.steps_between_samples(pick("samples_every", "auto")),
        metrics=bounds.words("metrics", pick("metrics", None)),
        resume=bounds.switch("resume", pick("resume", False)),
        mode=bounds.choice("mode", pick("mode", "background"), MODES),
        max_overhead=bounds.number("max_overhead", pick("max_overhead", MAX_OVERHEAD), 1e-6, 1.0),
        budget_bytes=bounds.whole(
            "budget_bytes", pick("budget_bytes", BUDGET_BYTES), MIN_BUDGET_BYTES
        ),
        spool_bytes=bounds.whole("spool_bytes", pick("spool_bytes", SPOOL_BYTES), 0),
        flush_timeout_s=bounds.number(
            "flush_timeout_s", pick("flush_timeout_s", FLUSH_TIMEOUT_S), 0.0, 3600.0
        ),
        strict=bounds.switch("strict", pick("strict", False)),
        config=bounds.json_object(given.get("config")),
        tags=bounds.words("tags", pick("tags", ())) or (),
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
