"""Two calls for any trainer; they never slow, change, block or kill it.

from trainer_hooks import push_weights, push_samples

push_weights(step, G=netG, D=netD, scalars={"loss.G": errG, "loss.D": errD})
push_samples(step, lambda n: netG(torch.randn(n, 100, 1, 1, device=dev)))
"""

import logging
import threading
from collections.abc import Mapping
from typing import Any

from trainer_hooks.errors import HookError
from trainer_hooks.run import Run
from trainer_hooks.settings import Settings, default_run, read_settings

__all__ = ["Run", "push_samples", "push_weights", "start"]

_lock = threading.Lock()
_current: Run | None = None


def start(
    run: str | None = None,
    *,
    redis_url: str | None = None,
    weights: str | None = None,
    weights_every: int | None = None,
    samples: int | None = None,
    samples_every: int | str | None = None,
    metrics: tuple[str, ...] | list[str] | None = None,
    resume: bool = False,
    mode: str | None = None,
    max_overhead: float | None = None,
    budget_bytes: int | None = None,
    flush_timeout_s: float | None = None,
    strict: bool = False,
    config: Mapping[str, Any] | None = None,
    tags: tuple[str, ...] | list[str] = (),
) -> Run:
    """Begin a run; optional, the first push begins one from the environment otherwise.

    What is None comes from the variable `SQD_<NAME>`, else from the default.

    Args:
        run: its name, 1–128 characters without control characters or ``/``; default host, date and
            process. A name that exists gets ``-2``, ``-3``, … unless `resume`.
        redis_url: default `SQD_REDIS_URL`, else what a running `sqd up` of this user says.
        weights: ``full`` (every parameter), ``sketch`` (a projection of 256 KiB) or ``auto``
            (``full`` up to 4 MiB a network).
        weights_every: take every n-th pair of adjacent calls (default 1: all calls).
        samples: size of a sample batch (default 2000).
        samples_every: steps between batches, ``"epoch"`` or ``"auto"`` (default: at most 1% of the
            training's time and one batch ahead of the worker).
        metrics: names the worker should compute; default all it offers.
        resume: continue a run of this name; its newer rows hide older ones from their step on.
        mode: ``background`` or ``disabled`` (every call does nothing).
        max_overhead: most of the training thread's time that snapshots may take (default 0.02).
        budget_bytes: most bytes held on this host and waiting in Redis (default 256 MiB).
        flush_timeout_s: longest wait at exit, seconds (default 10).
        strict: raise errors of later calls instead of counting them.
        config: shown in the dashboard; JSON.
        tags: shown and filtered by in the dashboard.
    Returns:
        The run; module-level calls now belong to it.
    Raises:
        SettingError, BadNameError: a setting is out of bounds.
    """
    global _current
    fresh = Run(
        read_settings(
            run=run,
            redis_url=redis_url,
            weights=weights,
            weights_every=weights_every,
            samples=samples,
            samples_every=samples_every,
            metrics=metrics,
            resume=resume,
            mode=mode,
            max_overhead=max_overhead,
            budget_bytes=budget_bytes,
            flush_timeout_s=flush_timeout_s,
            strict=strict,
            config=None if config is None else dict(config),
            tags=tags,
        )
    )
    with _lock:
        _current = fresh
    return fresh


def push_weights(
    step: int,
    networks: Mapping[str, object] | None = None,
    /,
    *,
    epoch: float | None = None,
    scalars: Mapping[str, Any] | None = None,
    shard: tuple[int, int] | None = None,
    **more: object,
) -> None:
    """Push weights as they are now; call it after the optimizer steps, every iteration.

    Args:
        step: of the training, a whole number ≥ 0.
        networks: name → network, for names that are no keywords.
        epoch: as the trainer counts it, whole or fractional; gives ``S.<network>@epoch``.
        scalars: name → number or 0-d tensor; device tensors are not waited for.
        shard: ``(i, n)``: these are part i of n of each network's weights.
        **more: networks by keyword; the keyword is the name: ``G=netG`` gives ``S.G``. A network is
            a torch module (its parameters) or a mapping of names to arrays.
    """
    _default().push_weights(step, networks, epoch=epoch, scalars=scalars, shard=shard, **more)


def push_samples(
    step: int,
    source: object,
    *,
    epoch: float | None = None,
    value_range: tuple[float, float] = (-1, 1),
    training: bool | None = None,
) -> None:
    """Push generated samples; call it every iteration, it ships only when a batch is due.

    Args:
        step: of the training.
        source: a batch (N, C, H, W), C = 1 or 3, float in `value_range` or uint8; or a callable
            ``n -> batch``, called only when due, without gradients, with RNG states, buffers and
            modes put back afterwards.
        epoch: as the trainer counts it.
        value_range: floats that stand for black and white.
        training: mode of the modules while the callable runs; None leaves it.
    """
    _default().push_samples(step, source, epoch=epoch, value_range=value_range, training=training)


def _default() -> Run:
    global _current
    with _lock:
        if _current is None:
            _current = Run(_settings_from_environment())
        return _current


def _settings_from_environment() -> Settings:
    """Settings of the run that the first push begins: a bad variable must not stop a training."""
    try:
        return read_settings()
    except HookError as error:
        logging.getLogger("trainer_hooks").error("sqd: nothing is pushed: %s", error)
        return read_settings(run=default_run(), mode="disabled")
