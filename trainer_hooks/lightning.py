"""A Lightning callback that makes the two calls after every training batch."""

import functools
import sys
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from trainer_hooks import start

# Either package may be there, or both, each with classes of its own: it must be the trainer's.
_older = "pytorch_lightning" in sys.modules or find_spec("lightning") is None
if TYPE_CHECKING or "lightning.pytorch" in sys.modules or not _older:
    from lightning.pytorch import Callback
else:
    from pytorch_lightning import Callback


class SqdMonitor(Callback):
    """Pushes networks, what the module logs, and samples; a step is a batch, over all epochs.

    Checkpoints keep the run's name: a training that goes on from one continues the curves.

    Args:
        networks: name to push under → attribute of the module: ``{"G": "generator"}``.
        source: of samples, ``(module, n) -> batch``, called when they are due.
        value_range, training: as of `push_samples`.
        heed_stop: whether a stop that is asked for (page, REST, a rule) sets `trainer.should_stop`,
            as early stopping does: after the batch, or, with several ranks, after the epoch, since
            they have to agree. `min_steps` and `min_epochs` still hold.
        options: as of `trainer_hooks.start`.
    """

    def __init__(
        self,
        networks: Mapping[str, str],
        source: Callable[[Any, int], Any] | None = None,
        *,
        value_range: tuple[float, float] = (-1, 1),
        training: bool | None = None,
        heed_stop: bool = True,
        **options: Any,
    ) -> None:
        self._networks, self._source, self._options = networks, source, options
        self._heeds_stop = heed_stop
        self._of_samples: Any = {"value_range": value_range, "training": training}

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        self.run = start(**self._options)

    def on_train_batch_end(self, trainer: Any, pl_module: Any, *_batch: Any, **_more: Any) -> None:
        step, epoch = trainer.fit_loop.total_batch_idx, trainer.current_epoch
        networks = {name: getattr(pl_module, place) for name, place in self._networks.items()}
        self.run.push_weights(step, networks, epoch=epoch, scalars=trainer.callback_metrics)
        if self._source is not None:
            source = functools.partial(self._source, pl_module)
            self.run.push_samples(step, source, epoch=epoch, **self._of_samples)
        if self._heeds_stop and trainer.world_size == 1:
            trainer.should_stop |= self.run.should_stop()

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        # Only rank 0 hears of it, and ranks that stop at different steps wait for each other.
        if self._heeds_stop and trainer.world_size > 1:
            asked = self.run.should_stop()
            trainer.should_stop |= trainer.strategy.reduce_boolean_decision(asked, all=False)

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        self.run.finish()

    def state_dict(self) -> dict[str, Any]:
        return {"run": self.run.id} if hasattr(self, "run") else {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._options |= {"run": state_dict["run"], "resume": True}
