"""Two calls for any trainer; they never slow, change, block or kill it.

from trainer_hooks import push_weights, push_samples

push_weights(step, G=netG, D=netD, scalars={"loss.G": errG, "loss.D": errD})
push_samples(step, lambda n: netG(torch.randn(n, 100, 1, 1, device=dev)))
"""

import functools
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ParamSpec

from trainer_hooks.errors import message_of
from trainer_hooks.run import Run
from trainer_hooks.settings import read_settings

__all__ = ["Run", "push_samples", "push_weights", "start"]

P = ParamSpec("P")

_lock = threading.Lock()
_current: Run | None = None


def _harmless(call: Callable[P, None]) -> Callable[P, None]:
    """Not even a call with wrong arguments raises, unless the run is `strict`."""

    @functools.wraps(call)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            call(*args, **kwargs)
        except Exception as error:
            _default().complaints.about(error, call.__name__)

    return wrapped


def start(
    run: str | None = None,
    *,
    redis_url: str | None = None,
    weights: str | None = None,
    weights_every: int | None = None,
    samples: int | None = None,
    samples_every: int | str | None = None,
    metrics: Sequence[str] | None = None,
    resume: bool | None = None,
    mode: str | None = None,
    max_overhead: float | None = None,
    budget_bytes: int | None = None,
    spool_bytes: int | None = None,
    flush_timeout_s: float | None = None,
    strict: bool | None = None,
    config: Mapping[str, Any] | None = None,
    tags: Sequence[str] | None = None,
) -> Run:
    """Begin a run; optional, the first push begins one from the environment otherwise.

    Waits at most a second, and for no Redis that refuses, so that `Run.id` is right when it
    returns. Where it is known that this process is rank 0 (`SQD_RANK`, ``RANK`` or another
    launcher's variable, a process group), the run is registered at once; else with its first push,
    which tells that it is no other rank's, or at its end.

    What is None comes from the variable `SQD_<NAME>`, else from the default.

    Args:
        run: its name, 1–128 characters without control characters or ``/``; default host, date and
            process. A name that exists gets ``-2``, ``-3``, … unless `resume`.
        redis_url: default `SQD_REDIS_URL`, else what a running `sqd up` of this user says.
        weights: ``full`` (every parameter; all networks of a push may take an eighth of
            `budget_bytes`), ``sketch`` (a projection of 256 KiB) or ``auto`` (``full`` up to 4 MiB
            a network, or a 32nd of the budget if that is less).
        weights_every: take every n-th pair of adjacent calls (default 1: all calls).
        samples: size of a sample batch (default 2000).
        samples_every: steps between batches, ``"epoch"`` or ``"auto"`` (default: at most 1% of the
            training's time and one batch ahead of the worker).
        metrics: what the worker computes of samples: ``Q``, ``D`` (both by default) and companions
            of D (``prdc``, ``kid``, ``frechet``, ``vendi``, ``is``; docs/metrics.md).
        resume: continue a run of this name; its newer rows hide older ones from their step on.
        mode: ``background``, ``offline`` (everything goes to disk, `sqd sync` sends it later) or
            ``disabled`` (every call does nothing).
        max_overhead: most of the training thread's time that snapshots may take (default 0.02).
        budget_bytes: most bytes held on this host and waiting in Redis (default 256 MiB).
        spool_bytes: most bytes on disk, in `SQD_HOME`/spool, of what cannot be sent (default 1 GiB;
            0 keeps nothing there).
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
            spool_bytes=spool_bytes,
            flush_timeout_s=flush_timeout_s,
            strict=strict,
            config=config,
            tags=tags,
        ),
        announced=True,
    )
    with _lock:
        _current = fresh
    return fresh


@_harmless
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

    In a distributed training rank 0 pushes; on other ranks both calls do nothing, unless `shard` is
    given or ``SQD_RANK=0`` says that this process trains networks of its own.

    Args:
        step: of the training, a whole number ≥ 0.
        networks: name → network, for names that are no keywords.
        epoch: as the trainer counts it, whole or fractional; gives ``S.<network>@epoch``.
        scalars: name → number or 0-d tensor; device tensors are not waited for.
        shard: ``(i, n)``: these are part i of n of each network's weights; every rank makes the
            same calls under the same run name, with its own i, and S is that of the whole. Of an
            FSDP2 module push ``{k: p.to_local() for k, p in net.named_parameters()}``. Scalars,
            samples and the end of the run are those of rank 0; give `epoch` on every rank. Such
            calls are thinned by `weights_every` alone, not by `max_overhead`: costs differ from
            rank to rank.
        **more: networks by keyword; the keyword is the name: ``G=netG`` gives ``S.G``. A network is
            a torch module (its parameters) or a mapping of names to arrays.
    """
    _default().push_weights(step, networks, epoch=epoch, scalars=scalars, shard=shard, **more)


@_harmless
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
    """The run of the module-level calls; the first of them begins it from the environment."""
    global _current
    if _current is None:
        with _lock:
            if _current is None:
                _current = _run_from_environment()
    return _current


def _run_from_environment() -> Run:
    """A bad variable, or a host that allows no more threads, must not stop a training."""
    try:
        return Run(read_settings())
    except Exception as error:
        logging.getLogger("trainer_hooks").error("sqd: nothing is pushed: %s", message_of(error))
        return Run(read_settings({}, run="disabled", mode="disabled"))
