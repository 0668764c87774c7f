"""Settings: defaults, then `sqd.toml`, then `SQD_*` variables, then flags. Parsed once, frozen.

The only module of `monitor` that reads the environment.
"""

import json
import os
from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from monitor.errors import SettingsError

#: Looked for in the working directory, then in the home.
CONFIG_FILE = "sqd.toml"


class Settings(BaseSettings):
    """Options that several commands share (contract, "Command line")."""

    model_config = SettingsConfigDict(env_prefix="SQD_", frozen=True, extra="ignore")

    redis_url: SecretStr | None = Field(None, description="Redis of the series, jobs and alerts")
    blob_url: SecretStr | None = Field(None, description="Redis of the frames; default the same")
    host: str = Field("127.0.0.1", description="address the server binds to")
    port: int = Field(8000, ge=0, le=65535, description="port of the server; 0 takes a free one")
    home: Path = Field(Path("~/.sqd"), description="data, models and the endpoint file")
    device: str = Field("auto", description="auto, cpu or cuda:N")
    quality: str = Field("faces", description="what computes Q")
    embedder: str = Field("", description="faces100, an ONNX file or an insightface pack")
    reference: str = Field("", description="faces100, a file or a set in HOME/references")
    token: SecretStr | None = Field(None, description="needed to listen beyond loopback")

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
        toml = TomlConfigSettingsSource(settings_cls, _config_file())
        return init_settings, env_settings, toml

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        return self.host in ("localhost", "::1") or self.host.startswith("127.")

    def found_redis(self) -> tuple[str, str | None]:
        """URLs of the durable and the volatile Redis: told, else of a running `sqd up`.

        Raises:
            SettingsError: nobody says where Redis is.
        """
        if self.redis_url is not None:
            blob_url = self.blob_url.get_secret_value() if self.blob_url else None
            return self.redis_url.get_secret_value(), blob_url
        path = self.home / "endpoint"
        try:
            endpoint = json.loads(path.read_text())
            return str(endpoint["redis_url"]), str(endpoint["blob_url"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise SettingsError(
                f"no Redis is known: start `sqd up`, or give --redis-url or SQD_REDIS_URL "
                f"(looked for {path})"
            ) from error


def load_settings(**flags: Any) -> Settings:
    """Settings from all sources; flags that are None were not given.

    Raises:
        SettingsError: a value is out of bounds; names the setting, the value and the bound.
    """
    given = {name: value for name, value in flags.items() if value is not None}
    try:
        settings = Settings(**given)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"]))
        raise SettingsError(f"{name} is {first['input']!r}: {first['msg'].lower()}") from error
    except ValueError as error:
        raise SettingsError(f"{_config_file()} cannot be read: {error}") from error
    return settings.model_copy(update={"home": settings.home.expanduser()})


def _config_file() -> Path | None:
    home = Path(os.environ.get("SQD_HOME", "~/.sqd")).expanduser()
    for folder in (Path(), home):
        if (folder / CONFIG_FILE).is_file():
            return folder / CONFIG_FILE
    return None
