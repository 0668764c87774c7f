"""The half of `Run` that leads back to the trainer: alerts, the request to stop, checkpoints."""

import os
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path

from trainer_hooks.answers import Alert
from trainer_hooks.checkpoint_settings import NO_RING, OnPath, read_ring
from trainer_hooks.checkpoints import Checkpoint, Checkpoints
from trainer_hooks.complaints import Complaints
from trainer_hooks.control import Control, OnAlert, id_of
from trainer_hooks.settings import Settings
from trainer_hooks.shards import Role


class Steering(ABC):
    """What a training may act on; nothing in here waits, or talks to anybody.

    Args:
        settings: of the run.
        complaints: where errors of calls go.
        role: of this process in its training.
        control: what comes back with the heartbeats.
    """

    def __init__(
        self, settings: Settings, complaints: Complaints, role: Role, control: Control
    ) -> None:
        self.settings = settings
        self.complaints = complaints
        self._role = role
        self._control = control
        self._pid = os.getpid()
        self._ring: Checkpoints | None = None

    @property
    @abstractmethod
    def id(self) -> str:
        """Name of the run."""

    @property
    @abstractmethod
    def active(self) -> bool:
        """Whether calls do anything."""

    def alerts(self) -> list[Alert]:
        """Alerts of what this process trained since the last call, oldest first; never waits."""
        return self._control.fresh() if self.active else []

    def on_alert(self, callback: OnAlert) -> None:
        """Have `callback(alert)` called for each alert, once, by the thread that trains: at the
        beginning of the next hook call. What it raises is counted, not raised."""
        self._control.listen(callback)

    def should_stop(self) -> bool:
        """Whether somebody (page, REST, a rule) asked this process to stop; never waits.

        It is known within a heartbeat (3 s). In a distributed training ask rank 0 and tell the
        others: only there it is ever true.
        """
        return self._control.stop and os.getpid() == self._pid

    def checkpoints(
        self,
        *,
        every: int,
        keep: int = 3,
        pins: int = 4,
        save: OnPath | None = None,
        load: OnPath | None = None,
        networks: Mapping[str, object] | None = None,
        folder: str | Path | None = None,
        suffix: str | None = None,
    ) -> Checkpoints:
        """A ring of checkpoints; call its `save_if_due(step)` in each iteration.

        When something turns (`checkpoints.PINNING_KINDS`), the newest checkpoint from before the
        change is pinned: `rewind` loads it, `sqd rewind` says where it lies.

        Args:
            every: steps between checkpoints.
            keep: how many are on disk, beside pinned ones. `every * keep` steps should be more
                than it takes to notice a change.
            pins: how many may be pinned; those are yours to remove.
            save: writes a checkpoint at a path (a file, or a folder). Called in the training
                thread of rank 0, so it must not wait for other ranks. Default: parameters and
                buffers of `networks` as safetensors, without optimizers.
            load: reads what `save` wrote, for `rewind`; without it you read it yourself.
            networks: saved where there is no `save`; default those that are pushed.
            folder: default one in `SQD_HOME`/checkpoints; a resumed run takes over its own.
            suffix: of the names; default ``.pt``, or ``.safetensors``.
        """
        settings = NO_RING
        try:
            settings = read_ring(
                every=every,
                keep=keep,
                pins=pins,
                save=save,
                load=load,
                networks=networks,
                folder=folder,
                suffix=suffix,
            )
        except Exception as error:
            self.complaints.about(error, "checkpoints", "bad_checkpoint")
        if self._ring is not None:
            self._ring.close()
        self._ring = Checkpoints(
            settings,
            lambda: settings.open_folder(self.settings),
            lambda: settings is not NO_RING and self.active and self._role.speaks,
            self._control,
            self.complaints,
            lambda: self.id,
        )
        return self._ring

    def rewind(self, alert: Alert | str | None = None) -> Checkpoint | None:
        """Load the checkpoint that was pinned for an alert, and say where the training is now.

        Go on with the step after it. Alerts of what was pushed before are not told any more.

        Args:
            alert: itself or its id; default the newest for which one is pinned.
        Returns:
            None if nothing was loaded; the log says why, and it is counted.
        """
        if self._ring is None or not self._ring.active:
            return None
        try:
            found = self._ring.go_back(id_of(alert) if isinstance(alert, dict) else alert)
        except Exception as error:
            self.complaints.about(error, "rewind", "bad_checkpoint")
            return None
        self._control.rewound(time.time())
        return found

    def _let_go(self) -> None:
        """Pin what is left to pin, and hold nothing of the trainer's any more."""
        if self._ring is not None:
            self._ring.close()
        self._control.forget()
