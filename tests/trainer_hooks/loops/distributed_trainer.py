"""One rank of a distributed training that tries everything that could make it wait for ever.

Started by test_distributed.py, which reads the JSON it prints.
"""

import json
import os
import sys
from datetime import timedelta
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.nn.functional import softplus
from torch.nn.parallel import DistributedDataParallel

import trainer_hooks
from tests.trainer_hooks.loops.gan import (
    BATCH,
    SIZE,
    adam,
    descend,
    discriminator,
    generator,
    noise,
)
from tests.trainer_hooks.training import same
from trainer_hooks import Run, schedule

ITERATIONS = 9
#: Longest wait for the other rank, seconds: what hangs must fail.
PATIENCE = timedelta(seconds=30)


class Counting(DistributedDataParallel):
    """Counts its forwards. Each sends the buffers from rank 0 to the others, and waits."""

    forwards = 0

    def forward(self, *inputs: Any, **options: Any) -> Any:
        Counting.forwards += 1
        return super().forward(*inputs, **options)  # type: ignore[no-untyped-call]


def train(asked: list[int], run: Run | None = None) -> list[Any]:
    """What is left of the training; `asked` gets the sizes that the callables are asked for."""
    torch.manual_seed(1)
    G, D = Counting(generator()), Counting(discriminator())
    synchronised = nn.Sequential(nn.Linear(4, 4), nn.SyncBatchNorm(4))
    torch.manual_seed(2 + distributed.get_rank())
    optG, optD = adam(G), adam(D)

    def noted(n: int) -> Tensor:
        asked.append(n)
        return noise(n)

    sources = [
        lambda n: G(noted(n)),
        lambda n: synchronised(noted(n)),
        lambda n: G.module(noted(n)),
    ]
    for step in range(ITERATIONS):
        fake = G(noise())
        both = D(torch.cat([torch.rand(BATCH, 1, SIZE, SIZE), fake.detach()]))
        errD = softplus(-both[:BATCH]).mean() + softplus(both[BATCH:]).mean()
        descend(optD, errD)
        errG: Tensor = softplus(-D.module(fake)).mean()
        descend(optG, errG)
        if run is not None:
            run.push_weights(step, G=G, D=D.module, scalars={"loss.G": errG})
            run.push_samples(step, sources[step % len(sources)])
    return [G.state_dict(), D.state_dict(), optG.state_dict(), torch.get_rng_state()]


def main(group_file: str) -> None:
    """Train without and with hooks; begin the run before anybody knows the rank."""
    torch.set_num_threads(1)
    schedule.WARMUP_CALLS = 10**9  # See `every_call` of the tests.
    run = trainer_hooks.start("ranks", samples=10, samples_every=1)
    distributed.init_process_group(
        "gloo", init_method=f"file://{group_file}", timeout=PATIENCE,
        rank=int(os.environ["TEST_RANK"]), world_size=2,
    )  # fmt: skip
    asked: list[int] = []
    unwatched = train(asked)
    forwards, Counting.forwards = Counting.forwards, 0
    watched = train(asked, run)
    run.finish()
    told = {
        "rank": distributed.get_rank(),
        "same": same(watched, unwatched),
        "more forwards": Counting.forwards - forwards,
        "asked": asked,
        "dropped": run.dropped,
    }
    print(json.dumps(told))
    distributed.destroy_process_group()


if __name__ == "__main__":
    main(sys.argv[1])
