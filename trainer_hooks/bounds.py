"""Checks of single settings: each returns the value or names the setting, value and bound."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from trainer_hooks.errors import SettingError

#: What a Redis URL begins with.
SCHEMES = ("redis", "rediss", "unix")
#: Spellings of a switch in the environment.
SWITCHES = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


def choice(name: str, value: Any, allowed: tuple[str, ...]) -> str:
    """One of the allowed words."""
    if value not in allowed:
        raise SettingError(f"{name} is {value!r}; allowed are {', '.join(allowed)}")
    return str(value)


def redis_address(name: str, value: Any) -> str | None:
    """A Redis URL, or None if none is given."""
    if value is None or value == "":
        return None
    try:
        parts = urlsplit(value)
        usable = parts.scheme in SCHEMES and (parts.port is None or parts.port > 0)
    except (AttributeError, TypeError, ValueError):
        usable = False
    if not usable:
        # The value itself stays out of the message: it may hold a password.
        raise SettingError(
            f"{name} is no Redis URL; expected redis://[[user]:password@]host[:port][/db], "
            "or rediss:// for TLS"
        )
    return str(value)


def words(name: str, value: Any) -> tuple[str, ...] | None:
    """Words from a list, or from text with commas; None if none are given."""
    if value is None:
        return None
    if isinstance(value, str):
        return tuple(word.strip() for word in value.split(",") if word.strip())
    if not isinstance(value, list | tuple | set | frozenset):
        raise SettingError(f"{name} is {value!r}; expected a list of words")
    return tuple(str(word) for word in value)


def switch(name: str, value: Any) -> bool:
    """True or false, also as the environment spells them."""
    switched = value if isinstance(value, bool) else SWITCHES.get(str(value).lower())
    if switched is None:
        raise SettingError(f"{name} is {value!r}; allowed are {', '.join(SWITCHES)}")
    return switched


def whole(name: str, value: Any, least: int = 1) -> int:
    """A whole number of at least `least`."""
    try:
        found = int(value)
        if isinstance(value, bool) or (isinstance(value, float) and found != value):
            raise ValueError(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise SettingError(f"{name} is {value!r}; expected a whole number") from error
    if found < least:
        raise SettingError(f"{name} is {found}; the least is {least}")
    return found


def number(name: str, value: Any, least: float, most: float) -> float:
    """A number from `least` to `most`."""
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise SettingError(f"{name} is {value!r}; expected a number") from error
    if not least <= found <= most:
        raise SettingError(f"{name} is {found}; allowed are {least} to {most}")
    return found


def steps_between_samples(value: Any) -> int | str:
    """``auto``, ``epoch`` or a number of steps."""
    if value in ("auto", "epoch"):
        return str(value)
    try:
        return whole("samples_every", value)
    except SettingError as error:
        raise SettingError(
            f"samples_every is {value!r}; expected a number of steps ≥ 1, 'epoch' or 'auto'"
        ) from error


def json_object(config: Any) -> dict[str, Any]:
    """A copy of `config` as JSON keeps it; empty if none is given."""
    if config is None:
        return {}
    if not isinstance(config, Mapping):
        raise SettingError(f"config is of type {type(config).__name__}; expected a mapping")
    try:
        copy: dict[str, Any] = json.loads(json.dumps(dict(config), default=str, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise SettingError(f"config cannot be written as JSON: {error}") from error
    return copy
