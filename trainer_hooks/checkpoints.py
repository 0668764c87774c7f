"""A ring of checkpoints: the newest few, and those from before a turning point."""

import json
import socket
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from trainer_hooks.answers import Alert, onset_of
from trainer_hooks.checkpoint_folder import CheckpointFolder, Taken
from trainer_hooks.checkpoint_settings import RingSettings
from trainer_hooks.complaints import Complaints, harmless
from trainer_hooks.control import Control, id_of
from trainer_hooks.errors import CheckpointError
from trainer_hooks.network_files import load_networks, write_networks
from trainer_hooks.pushes import moment_of

#: Alerts that pin a checkpoint: something got worse. A stability alert alone is no collapse.
PINNING_KINDS = frozenset({"turning_point", "mode_collapse", "quality", "diversity", "nonfinite"})


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Where a training was put back to.

    Attributes:
        step: after which it was taken: the training goes on with the next.
        path: of its file.
        alert: for which it was pinned.
    """

    step: int
    path: Path
    alert: Alert


class Checkpoints:
    """The ring of one run. Made by `Run.checkpoints`; saving happens in the calling thread.

    Args:
        settings: how often, how many, and how.
        open_folder: gives the folder.
        admits: whether calls do anything now.
        control: where alerts come from, and where the ring is told to.
        complaints: where errors go.
        run: gives the run's id.

    Attributes:
        complaints: as given.
        networks: that are saved, by name; where nobody said which, those that were pushed.
    """

    def __init__(
        self,
        settings: RingSettings,
        open_folder: Callable[[], CheckpointFolder],
        admits: Callable[[], bool],
        control: Control,
        complaints: Complaints,
        run: Callable[[], str],
    ) -> None:
        self.complaints = complaints
        self.networks: dict[str, object] = dict(settings.networks or {})
        self._settings = settings
        self._open_folder = open_folder
        self._admits = admits
        self._control = control
        self._run = run
        self._folder: CheckpointFolder | None = None
        self._last: int | None = None
        self._looked: tuple[Alert, ...] = ()
        self._closed = False

    @property
    def active(self) -> bool:
        """Whether calls do anything."""
        return not self._closed and self._admits()

    @property
    def wants_networks(self) -> bool:
        """Whether those that are pushed are to be saved."""
        return self._settings.save is None and self._settings.networks is None

    @harmless
    def save_if_due(self, step: int) -> None:
        """Save every `every` steps; call it in each iteration, after the hook calls.

        Args:
            step: of the training, as given to the hook calls.
        """
        at = moment_of(step, None, 0.0).step
        due = self._is_due(at)
        if self._folder is not None and self._last is not None and at < self._last:
            self._folder.hide(at)
        self._last = at
        self.look()
        if due:
            self._save(at)

    def look(self) -> None:
        """Pin what new alerts ask for. A ring that holds nothing yet looks later."""
        alerts = self._control.alerts
        if alerts is self._looked or self._folder is None:
            return
        self._looked = alerts
        folder = self._folder
        seen = set(folder.seen)
        fresh = [a for a in alerts if a.get("kind") in PINNING_KINDS and id_of(a) not in seen]
        for alert in fresh:
            folder.seen.append(id_of(alert))
            self._pin(folder, alert)
        if fresh:
            self._tell(folder)

    def go_back(self, alert: str | None) -> Checkpoint:
        """Load what is pinned for the alert with this id, of the newest pin if None.

        Raises:
            CheckpointError: nothing is pinned for it, or it cannot be loaded.
        """
        folder = self._opened()
        self.look()
        seen = [alert] if alert is not None else reversed(folder.seen)
        found = next(((name, t) for name in seen if (t := folder.pin_of(name))), None)
        if found is None:
            what = "any alert" if alert is None else f"alert {alert!r}"
            raise CheckpointError(f"no checkpoint is pinned for {what} in {folder.folder}")
        name, taken = found
        if self._settings.load is not None:
            self._settings.load(taken.path)
        elif self._settings.save is None:
            load_networks(self.networks, taken.path)
        folder.hide(taken.step + 1)
        taken.hidden = False
        self._last = taken.step
        return Checkpoint(taken.step, taken.path, next(a for a in taken.alerts if id_of(a) == name))

    def close(self) -> None:
        """The run ends: pin what is left to pin, and let go of everything."""
        self._closed = True
        self.networks.clear()
        if self._folder is not None:
            self.look()
            self._folder.close()

    def _is_due(self, step: int) -> bool:
        every = self._settings.every
        if self._last is None or step < self._last:
            return step % every == 0
        return step // every > self._last // every

    def _opened(self) -> CheckpointFolder:
        if self._folder is None:
            self._folder = self._open_folder()
        return self._folder

    def _save(self, step: int) -> None:
        save = self._settings.save or partial(write_networks, self.networks)
        try:
            folder = self._opened()
            self.look()
            folder.add(step, self._settings.suffix, save)
            folder.prune(self._settings.keep)
            self._tell(folder)
        except Exception as error:
            self.complaints.about(error, f"no checkpoint of step {step}", "bad_checkpoint")

    def _pin(self, folder: CheckpointFolder, alert: Alert) -> None:
        onset = onset_of(alert)
        taken = None if onset is None else folder.before(onset)
        if taken is None:
            if id_of(alert) not in (self._control.earlier or ()):
                self.complaints.say(
                    "no checkpoint left",
                    f"no checkpoint from before step {onset} is left: raise keep= or every=",
                )
        elif taken.alerts or len(folder.pinned()) < self._settings.pins:
            folder.pin(taken, alert)
        else:
            self.complaints.say(
                "pins are full",
                f"the checkpoint of step {taken.step} is not pinned, {self._settings.pins} are: "
                f"remove one from {folder.folder}, or raise pins=",
            )

    def _tell(self, folder: CheckpointFolder) -> None:
        folder.run = self._run()
        try:
            folder.tell()
        except OSError as error:
            self.complaints.about(error, "pins are not written", "bad_checkpoint")
        self._control.ring = json.dumps(
            {
                "host": socket.gethostname(),
                "folder": _text(folder.folder),
                "kinds": sorted(PINNING_KINDS),
                "checkpoints": [_told(taken) for taken in folder.taken],
            }
        )


def _told(taken: Taken) -> dict[str, Any]:
    return {
        "step": taken.step,
        "path": _text(taken.path),
        "hidden": taken.hidden,
        "alerts": [id_of(alert) for alert in taken.alerts],
    }


def _text(path: Path) -> str:
    """A path that can be sent: file names need not be Unicode."""
    return str(path).encode(errors="replace").decode()
