"""What `Run.checkpoints` was asked for, checked once; and the folder that it means."""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainer_hooks import bounds
from trainer_hooks.checkpoint_folder import CheckpointFolder, folder_for, folder_of_earlier
from trainer_hooks.errors import SettingError
from trainer_hooks.settings import Settings

#: Most checkpoints that a ring keeps, and most that are pinned beside: all are told to Redis.
MOST_KEPT, MOST_PINS = 1000, 100
#: End of the names of files of networks, and of those that the trainer's own function writes.
OF_NETWORKS, OF_TRAINER = ".safetensors", ".pt"

#: Writes, or reads, all that a training needs to go on, at a path.
OnPath = Callable[[Path], object]


@dataclass(frozen=True, slots=True)
class RingSettings:
    """Checked; the fields are the arguments of `Run.checkpoints`."""

    every: int
    keep: int
    pins: int
    save: OnPath | None
    load: OnPath | None
    networks: dict[str, object] | None
    folder: Path | None
    suffix: str

    def open_folder(self, run: Settings) -> CheckpointFolder:
        """The folder; of a resumed run that of its newest process that lives no more.

        Raises:
            CheckpointError: another living process has it.
            OSError: it cannot be made.
        """
        if self.folder is not None:
            return CheckpointFolder(self.folder)
        earlier = folder_of_earlier(run.home, run.run) if run.resume else None
        return earlier or CheckpointFolder(folder_for(run.home, run.run, uuid.uuid4().hex[:12]))


#: Of a ring that was asked for in a wrong way: it is never used.
NO_RING = RingSettings(1, 1, 0, None, None, None, None, "")


def read_ring(**given: Any) -> RingSettings:
    """Settings from the arguments of `Run.checkpoints`.

    Raises:
        SettingError: a value is out of bounds; names the setting, the value and the bound.
    """
    save, load, networks = given["save"], given["load"], given["networks"]
    for name, function in (("save", save), ("load", load)):
        if function is not None and not callable(function):
            raise SettingError(f"{name} is {function!r}; expected a function of a path")
    if networks is not None and (save is not None or not isinstance(networks, Mapping)):
        raise SettingError("networks must be a mapping of names to networks, without save=")
    suffix = given["suffix"]
    if suffix is None:
        suffix = OF_NETWORKS if save is None else OF_TRAINER
    if suffix and (suffix[0] != "." or Path(f"x{suffix}").name != f"x{suffix}"):
        raise SettingError(f"suffix is {suffix!r}; expected one like '.pt', or ''")
    return RingSettings(
        every=bounds.whole("every", given["every"]),
        keep=_at_most("keep", bounds.whole("keep", given["keep"]), MOST_KEPT),
        pins=_at_most("pins", bounds.whole("pins", given["pins"], 0), MOST_PINS),
        save=save,
        load=load,
        networks=None if networks is None else dict(networks),
        folder=None if given["folder"] is None else Path(given["folder"]),
        suffix=suffix,
    )


def _at_most(name: str, value: int, most: int) -> int:
    if value > most:
        raise SettingError(f"{name} is {value}; the most is {most}")
    return value
