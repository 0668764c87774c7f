"""The Lightning callback: in whichever package the trainer is, and over a checkpoint."""

from pathlib import Path

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
