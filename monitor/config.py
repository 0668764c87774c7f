"""Settings: defaults, then `sqd.toml`, then `SQD_*` variables, then flags. Parsed once, frozen.

The only module of `monitor` that reads the environment.
"""

import ipaddress
import json
import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, InstanceOf, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from monitor.alerts.rule import Rule, parse_rules
from monitor.errors import RuleError, SettingsError
from monitor.evaluators.spec import check_embedder, check_quality
from monitor.store.limits import LEAST_GRIDS, MOST_GRIDS
from monitor.types import Severity

#: Looked for in the working directory, then in the home.
CONFIG_FILE = "sqd.toml"
PREFIX = "SQD_"
DEFAULT_HOME = Path("~/.sqd")
#: Settings that only the server has a use for.
SERVER_ONLY = frozenset({"rules", "notify", "notify_from", "public_url"})


class Settings(BaseSettings):
    """Options that several commands share (contract, "Command line")."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, frozen=True, extra="forbid"
    )

    redis_url: SecretStr | None = Field(None, description="Redis of the series, jobs and alerts.")
    blob_url: SecretStr | None = Field(None, description="Redis of the frames; else the same.")
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    home: Path = Field(DEFAULT_HOME, description="Data, reference sets and the endpoint file.")
    device: str = Field("auto", description="auto, cpu or cuda:N.")
    quality: str = Field(
        "faces",
        description="What computes Q: faces, onnx:PATH, python:module:object or points:FILE.json.",
    )
    embedder: str = Field(
        "",
        description="What makes the features of D: for faces faces100, an ArcFace ONNX file or an "
        "insightface pack; else onnx:PATH, python:module:object, points:FILE.json or "
        "inception:WEIGHTS.pth.",
    )
    reference: str = Field("", description="faces100, a file or a set in HOME/references.")
    max_batch_bytes: int = Field(
        0,
        ge=0,
        description="Memory for the images in which faces are looked for in one go; no score "
        "depends on it; 0: 128 MiB on a CPU, 1 GiB on a GPU.",
    )
    max_gpu_bytes: int = Field(
        3 * 2**30,
        ge=2**28,
        description="Memory of the GPU that torch may hold, and as much again onnxruntime: the "
        "training needs the rest.",
    )
    evaluator_timeout_s: float = Field(
        1800,
        ge=0,
        description="Longest call of a Python callable, seconds; then its batch is given up and "
        "the worker starts anew; 0: no limit.",
    )
    sensitivity: Literal["low", "normal", "high"] = Field(
        "normal", description="How readily turning points are told: low, normal or high."
    )
    retain_days: float = Field(
        0, ge=0, description="Remove runs that ended so many days ago; 0: never."
    )
    retain_bytes: int = Field(
        0,
        ge=0,
        description="Remove runs, the oldest first, while all take more bytes; 0: never.",
    )
    retain_grids: int = Field(
        500,
        ge=LEAST_GRIDS,
        le=MOST_GRIDS,
        description="Image grids and mode histograms kept of a run: evenly, and those near alerts.",
    )
    token: SecretStr | None = Field(
        None, description="Who has it may do everything; needed to listen beyond loopback."
    )
    read_token: SecretStr | None = Field(
        None, description="Who has it may only read; needs a --token beside it."
    )
    public_url: str = Field(
        "", description="Where people reach the page, for links in notices; default its own."
    )
    notify: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        (), description="Addresses of apprise that are told of alerts; as a variable with spaces."
    )
    notify_from: Severity = Field(
        "warning", description="Least severity people are told of: info, warning or critical."
    )
    rules: Annotated[tuple[InstanceOf[Rule], ...], NoDecode] = Field(
        (), description="Rules of alerts, such as D < 2 for 3 batches; as a variable one a line."
    )
    verbose: bool = Field(False, description="Log more.")
    log_format: Literal["text", "json"] = Field(
        "text", description="Log lines: text, or json, one object a line."
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flags, environment, file: the first that knows a setting wins."""
        toml = TomlConfigSettingsSource(settings_cls, _config_file(init_settings().get("home")))
        return init_settings, env_settings, toml

    @field_validator("device")
    @classmethod
    def _check_device(cls, device: str) -> str:
        if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", device):
            raise ValueError("expected auto, cpu or cuda:N")
        return device

    @field_validator("quality")
    @classmethod
    def _check_quality(cls, quality: str) -> str:
        return check_quality(quality)

    @field_validator("embedder")
    @classmethod
    def _check_embedder(cls, embedder: str) -> str:
        return check_embedder(embedder)

    @field_validator("public_url")
    @classmethod
    def _check_public_url(cls, url: str) -> str:
        if url and not re.fullmatch(r"https?://[^\s?#]+", url):
            raise ValueError("expected an address such as https://monitor.example.org")
        return url.rstrip("/")

    @field_validator("notify", mode="before")
    @classmethod
    def _split_notify(cls, given: Any) -> Any:
        return given.split() if isinstance(given, str) else given

    @field_validator("rules", mode="before")
    @classmethod
    def _parse_rules(cls, given: Any) -> tuple[Rule, ...]:
        told = given.splitlines() if isinstance(given, str) else given
        try:
            return parse_rules(told)
        except RuleError as error:
            raise ValueError(str(error)) from error

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def found_redis(self) -> tuple[str, str | None]:
        """URLs of the durable and the volatile Redis: told, else of a running `sqd up`.

        The second is None where the durable Redis knows it itself.

        Raises:
            SettingsError: nobody says where Redis is.
        """
        if self.redis_url is not None:
            blob_url = self.blob_url.get_secret_value() if self.blob_url else None
            return self.redis_url.get_secret_value(), blob_url
        path = self.home / "endpoint"
        try:
            return str(json.loads(path.read_text())["redis_url"]), None
        except (OSError, ValueError, KeyError, TypeError) as error:
            seen = f"{path} tells none" if path.exists() else f"looked for {path}"
            raise SettingsError(
                f"no Redis is known: start `sqd up`, or give --redis-url or SQD_REDIS_URL ({seen})"
            ) from error

    def environment(self) -> dict[str, str]:
        """These settings as variables, for children; arguments could be read by everybody.

        Rules and channels are the server's: a worker need not know their secrets.
        """
        return {
            PREFIX + name.upper(): value.get_secret_value()
            if isinstance(value, SecretStr)
            else str(value)
            for name, value in self
            if value is not None and name not in SERVER_ONLY
        }


def load_settings(**flags: Any) -> Settings:
    """Settings from all sources; flags that are None were not given.

    Raises:
        SettingsError: a value is out of bounds; names the setting, where it is set, and the bound.
    """
    given = {name: value for name, value in flags.items() if value is not None}
    try:
        settings = Settings(**given)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = ".".join(map(str, first["loc"]))
        raise SettingsError(_complaint(name, first["msg"], given)) from error
    except ValueError as error:
        raise SettingsError(f"{_config_file(given.get('home'))} cannot be read: {error}") from error
    return settings.model_copy(update={"home": settings.home.expanduser().absolute()})


def _complaint(name: str, message: str, given: dict[str, Any]) -> str:
    """One sentence on a bad setting. Its value may be a secret in the wrong place: not shown."""
    if name in given:
        source = f"--{name.replace('_', '-')}"
    elif PREFIX + name.upper() in os.environ:
        source = PREFIX + name.upper()
    else:
        source = f"{name} in {_config_file(given.get('home'))}"
    if name not in Settings.model_fields:
        return f"{source} is no setting; there are {', '.join(Settings.model_fields)}"
    said = message.removeprefix("Value error, ")
    return f"{source} is not usable: {said[0].lower()}{said[1:]}"


def _config_file(home: Path | None) -> Path | None:
    own = Path(home or os.environ.get(f"{PREFIX}HOME") or DEFAULT_HOME).expanduser()
    for folder in (Path(), own):
        if (folder / CONFIG_FILE).is_file():
            return folder / CONFIG_FILE
    return None
