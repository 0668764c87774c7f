"""The Lightning callback: in whichever package the trainer is, over a checkpoint, told to stop."""

import socket
from pathlib import Path

import pytest

from monitor.store.runs import read_run, run_ids
from tests.trainer_hooks.mail import Mail
from tests.trainer_hooks.trainers import in_processes

CODE = """
import torch
import pytorch_lightning as lightning
from torch.utils.data import DataLoader
from trainer_hooks.lightning import SqdMonitor

class Training(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = torch.nn.Linear(4, 1)
    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)
    def training_step(self, batch):
        loss = self.net(batch).mean()
        self.log("train/loss", loss)
        return loss

assert issubclass(SqdMonitor, lightning.Callback)
loader = DataLoader(torch.rand(8, 4), 4)
for epochs, checkpoint in ((2, None), (3, "last.ckpt")):
    monitor = SqdMonitor(
        {"G": "net"}, lambda module, n: torch.sigmoid(module.net(torch.rand(n, 4))),
        value_range=(0, 1), training=False, samples=4, samples_every="epoch", max_overhead=1.0,
    )
    trainer = lightning.Trainer(
        accelerator="cpu", max_epochs=epochs, callbacks=[monitor], default_root_dir=".",
        logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(Training(), loader, ckpt_path=checkpoint)
    trainer.save_checkpoint("last.ckpt")
"""


def test_checkpoint_continues_the_run(mail: Mail, tmp_path: Path) -> None:
    # Lightning warns of much that is none of ours, so that warnings are no errors here.
    code = f"import os; os.chdir({str(tmp_path)!r})\n" + CODE
    (done,) = in_processes(mail, ["-c", code], [{}])
    assert done.returncode == 0, done.stderr
    (name,) = run_ids(mail.store)
    assert [segment.ordinal for segment in read_run(mail.store, name).segments] == [0, 1]
    steps = [step for step, _ in mail.scalars(name)["train/loss"]]
    # Two epochs of two batches, and the third after the checkpoint.
    assert steps == [0, 1, 2, 3, 4, 5]
    assert sorted(mail.angles(name, "G")) == [1, 2, 3, 5]
    assert list(mail.batches(name)) == [0, 2, 4]
    assert read_run(mail.store, name).drops == {}


#: Each rank asks for the stop at its third batch, and waits there until rank 0 knows of it.
STOPPED = """
import os, sys, time
import torch
import lightning.pytorch as lightning
from torch.utils.data import DataLoader
from monitor.store.connection import open_store
from monitor.store.control import ask_to_stop
from monitor.store.runs import run_ids
from trainer_hooks import sender
from trainer_hooks.lightning import SqdMonitor

sender.BEAT_INTERVAL_S = 0.05
heed, ranks = sys.argv[1] == "heed", int(os.environ["WORLD_SIZE"])

class Training(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.net, self.batches = torch.nn.Linear(4, 1), 0
    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)
    def training_step(self, batch):
        self.batches += 1
        if self.batches == 3 and trainer.is_global_zero:
            store, give_up_s = open_store(os.environ["SQD_REDIS_URL"]), time.monotonic() + 60
            while not monitor.run.should_stop():
                assert time.monotonic() < give_up_s, "not heard"
                if "stopped" in run_ids(store):
                    ask_to_stop(store, "stopped", "test")
                time.sleep(0.1)
        return self.net(batch).mean()

monitor = SqdMonitor({"G": "net"}, heed_stop=heed, run="stopped")
trainer = lightning.Trainer(
    accelerator="cpu", devices=ranks, strategy="ddp" if ranks > 1 else "auto", max_epochs=3,
    callbacks=[monitor], logger=False, enable_checkpointing=False, enable_progress_bar=False,
    enable_model_summary=False,
)
module = Training()
trainer.fit(module, DataLoader(torch.rand(8 * ranks, 4), 2))
print("batches", module.batches)
"""


@pytest.mark.parametrize(
    ("heed", "ranks", "batches"),
    # Of three epochs of four batches: the third batch, its epoch, all.
    [("heed", 1, 3), ("heed", 2, 4), ("ignore", 1, 12)],
)
def test_stop_that_is_asked_for(
    mail: Mail, tmp_path: Path, heed: str, ranks: int, batches: int
) -> None:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    together = {
        "WORLD_SIZE": str(ranks), "LOCAL_WORLD_SIZE": str(ranks), "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port), "TORCHELASTIC_RUN_ID": "test", "OMP_NUM_THREADS": "1",
    } if ranks > 1 else {"WORLD_SIZE": "1"}  # fmt: skip
    mine = [{"RANK": str(i), "LOCAL_RANK": str(i)} if ranks > 1 else {} for i in range(ranks)]
    code = f"import os; os.chdir({str(tmp_path)!r})\n" + STOPPED
    for done in in_processes(mail, ["-c", code, heed], [{**together, **one} for one in mine]):
        assert done.returncode == 0, done.stderr
        assert f"batches {batches}\n" in done.stdout
    assert read_run(mail.store, "stopped").status == "finished"
