"""What runs, networks and metrics may be called (contract)."""

import re
import unicodedata

from trainer_hooks.errors import BadNameError

#: Longest run and network name, characters (contract).
MAX_RUN_NAME = 128
#: Longest scalar and tensor name, characters (contract).
MAX_METRIC_NAME = 256

#: Names that the monitor's own metrics have; a scalar must not have them (contract).
OWN_METRIC = re.compile(r"(Q|D|[SQD]\..*)\Z", re.DOTALL)
#: Ends the metric of angles from epoch to epoch; a network's name must not.
EPOCH_SUFFIX = "@epoch"


def holds_control(text: str) -> bool:
    """Whether there is a control character (Unicode category Cc) in it."""
    return any(unicodedata.category(char) == "Cc" for char in text)


def check_name(name: object, *, what: str, longest: int) -> str:
    """Return `name` if it is a legal name, else raise BadNameError with the rule it breaks."""
    if not isinstance(name, str):
        raise BadNameError(f"{what} must be a string, not {type(name).__name__}")
    if not 1 <= len(name) <= longest:
        raise BadNameError(f"{what} has {len(name)} characters; allowed are 1 to {longest}")
    if holds_control(name):
        raise BadNameError(f"{what} {name!r} holds a control character")
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise BadNameError(f"{what} {name!r} is not valid Unicode text") from error
    return name


def check_run(name: object) -> str:
    """Return `name` if it may name a run: 1–128 characters, no control characters, no ``/``."""
    checked = check_name(name, what="run name", longest=MAX_RUN_NAME)
    if "/" in checked or checked in (".", ".."):
        raise BadNameError(f"run name {checked!r} must not be '.' or '..' or hold a '/'")
    return checked


def check_network(name: object) -> str:
    """Return `name` if it may name a network: its metrics are ``S.<name>``, ``S.<name>/<tensor>``
    and ``S.<name>@epoch``, which must stay apart."""
    checked = check_name(name, what="network name", longest=MAX_RUN_NAME)
    if "/" in checked or checked.endswith(EPOCH_SUFFIX):
        raise BadNameError(f"network name {checked!r} must not hold '/' or end with '@epoch'")
    return checked


def is_own_metric(name: str) -> bool:
    """Whether `name` is a metric's: ``Q``, ``D``, ``S.*``, ``Q.*`` or ``D.*``."""
    return OWN_METRIC.match(name) is not None
