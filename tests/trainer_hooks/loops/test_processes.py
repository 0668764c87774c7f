"""Trainers with processes, threads and runs beside them."""

import itertools
import threading
from typing import Any

import pytest
import torch

from monitor.stability import weight_angle
from monitor.store.runs import run_ids
from tests.trainer_hooks.conftest import Start
from tests.trainer_hooks.loops.gan import noise, two_optimizers
from tests.trainer_hooks.mail import Mail
from tests.trainer_hooks.trainers import in_a_process

ITERATIONS = 8


def test_data_loader_that_forks_after_the_first_push(mail: Mail) -> None:
    """Its workers inherit the run, and must neither push nor wait for threads they lack."""
    code = """
import threading, warnings, torch, trainer_hooks
from torch.utils.data import DataLoader
# Python 3.12 warns of every fork beside threads; data loaders fork all the same.
warnings.filterwarnings("ignore", "This process", DeprecationWarning)
net = torch.nn.Linear(3, 1)
optimizer = torch.optim.SGD(net.parameters(), 0.1)

class Data(torch.utils.data.Dataset):
    def __len__(self):
        return 12
    def __getitem__(self, index):
        assert run.active == (torch.utils.data.get_worker_info() is None)
        trainer_hooks.push_weights(999, G=net, scalars={"loss": 999.0})
        trainer_hooks.push_samples(999, torch.zeros(2, 1, 4, 4))
        return torch.rand(3)

run = trainer_hooks.start("demo", samples=2, samples_every=1)
run.push_weights(0, G=net)
loader = DataLoader(Data(), batch_size=4, num_workers=2, multiprocessing_context="fork")
step = 0
for epoch in range(3):
    # At the fork a thread is amid a call: in the workers nobody will ever let go of its lock.
    amid, forked = threading.Event(), threading.Event()
    def call():
        with run._lock:
            amid.set()
            forked.wait()
    thread = threading.Thread(target=call)
    thread.start()
    amid.wait()
    batches = iter(loader)
    forked.set()
    thread.join()
    for batch in batches:
        step += 1
        optimizer.zero_grad()
        net(batch).mean().backward()
        optimizer.step()
        run.push_weights(step, G=net, epoch=epoch, scalars={"loss": float(step)})
        run.push_samples(step, torch.zeros(2, 1, 4, 4))
"""
    done = in_a_process(mail, code)
    assert (done.returncode, done.stderr) == (0, "")
    steps = range(1, 10)
    assert mail.scalars("demo") == {"loss": [(step, float(step)) for step in steps]}
    assert list(mail.batches("demo")) == list(steps)
    assert run_ids(mail.store) == ["demo"]


def test_runs_in_threads_of_one_process_keep_to_themselves(
    start: Start, mail: Mail, every_call: None
) -> None:
    """Two trainings at once, each with networks of the same names and a run of its own."""
    names = ["a", "b"]
    runs = {
        name: start(name, redis_url=mail.redis_url, samples=4, samples_every=ITERATIONS)
        for name in names
    }
    seen: dict[str, list[torch.Tensor]] = {name: [] for name in names}

    def train(name: str) -> None:
        loop = itertools.islice(two_optimizers(), ITERATIONS)
        for step, (networks, losses) in enumerate(loop):
            weights: list[Any] = [p.detach().reshape(-1) for p in networks["G"].parameters()]
            seen[name].append(torch.cat(weights))
            runs[name].push_weights(step, networks, scalars=losses)
            runs[name].push_samples(step, lambda n, G=networks["G"]: G(noise(n)))

    threads = [threading.Thread(target=train, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for name, run in runs.items():
        run.finish()
        vectors = seen[name]
        expected = {
            step: weight_angle(vectors[step - 1], vectors[step]) for step in range(1, ITERATIONS)
        }
        assert mail.angles(name, "G") == pytest.approx(expected, rel=1e-4)
        assert len(mail.batches(name)[0]) == 4
        assert run.dropped == {}
