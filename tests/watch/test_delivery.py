"""People are told of each alert once by each channel, whatever fails or dies on the way."""

import io
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from monitor.alerts import channels
from monitor.alerts.channels import Channel
from monitor.errors import StoreError
from monitor.store import deliveries
from monitor.store.alerts import mark_alert
from monitor.store.blocks import Cell
from monitor.store.connection import Store
from monitor.store.deliveries import read_deliveries
from monitor.store.jobs import Artifacts, JobQueue
from monitor.store.runs import delete_run, read_run
from monitor.store.watching import Lease, WatchStore
from monitor.types import Alert, Severity
from monitor.watch import delivery, ticking
from monitor.watch.delivery import MOST_TRIES, Delivery
from tests.alerts.mailboxes import SECRET, MailServer, Silence, Webhook, opened
from tests.server.mortal import MortalRedis
from tests.store.posting import Trainer, block_of, claimed, keys_of, samples_frame
from trainer_hooks import keys

#: Longest wait for something in another process or thread, seconds.
WAIT_S = 20.0


def alert(
    name: str,
    severity: Severity = "critical",
    *,
    run: str = "demo",
    kind: str = "mode_collapse",
    follows: str | None = None,
) -> Alert:
    message = "D fell from 3.2 to 1.3."
    return Alert(name, run, kind, 300, 400, ("D",), severity, message, 5.0, follows=follows)


class Home:
    """A run, and the lease on its watch."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.mine = WatchStore(store, "mine")
        lease = self.mine.lease(0)
        assert lease is not None
        self.lease: Lease = lease
        Trainer(store)

    def raise_(self, *alerts: Alert) -> None:
        """Store new alerts, as the watch does."""
        assert self.mine.commit(self.lease, "demo", None, alerts) == "stored"

    def delivery(self, *urls: str, least: Severity = "warning") -> Delivery:
        """A sender to these addresses."""
        chosen = [Channel(url) for url in urls]
        return Delivery(self.store, lambda: [self.lease], chosen, "http://a.example/", least)

    def states(self) -> list[str]:
        """Of all notices."""
        return [each["state"] for each in read_deliveries(self.store, "demo")]

    def waiting(self) -> int:
        """Alerts that are looked at again."""
        return int(self.store.data.zcard(keys.notices(0)))


@pytest.fixture
def home(store: Store) -> Home:
    """Of the run `demo`."""
    return Home(store)


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits between tries."""
    monkeypatch.setattr(delivery, "FIRST_WAIT_S", 0.0)


def test_each_channel_is_told_once(home: Home, webhook: Webhook, mail: MailServer) -> None:
    home.raise_(alert("a"))
    sender = home.delivery(webhook.url, mail.url)
    for _ in range(3):
        sender.tick()
    home.delivery(webhook.url, mail.url).tick()
    (body,), (message,) = webhook.received, mail.received
    assert (body["title"], body["type"]) == ("demo: mode collapse", "failure")
    assert body["message"] == "D fell from 3.2 to 1.3.\n\nhttp://a.example/runs/demo"
    assert message["Subject"] == "demo: mode collapse"
    assert (home.states(), home.waiting()) == (["sent", "sent"], 0)


def test_notice_shows_the_curves_and_the_images_around_the_change(
    home: Home, webhook: Webhook
) -> None:
    store, queue = home.store, JobQueue(home.store, "worker")
    queue.ensure_groups()
    grid = io.BytesIO()
    Image.new("RGB", (32, 32), "green").save(grid, "WEBP")
    trainer = Trainer(store, "seen")
    for number in range(6):
        trainer.post(samples_frame(np.zeros((1, 1, 16, 16), np.uint8), seq=number))
        job = claimed(queue, "samples")
        block = block_of(job, [number], [100 * number])
        block.add("D", Cell(0, 3.0 - number / 3))
        assert queue.finish(job, block, artifacts=Artifacts(grid.getvalue()))
    home.mine.commit(home.lease, "seen", None, [alert("a", run="seen")])
    home.delivery(webhook.url).tick()
    pictures = {name: Image.open(io.BytesIO(data)) for name, data in webhook.pictures(0).items()}
    assert set(pictures) == {"curves.png", "images.png"}
    assert pictures["images.png"].width == 2 * 480


def test_who_has_no_lease_sends_nothing(home: Home, webhook: Webhook) -> None:
    home.raise_(alert("a"))
    home.store.data.delete(keys.watch_lease(0))
    heir = WatchStore(home.store, "heir").lease(0)
    assert heir is not None
    home.delivery(webhook.url).tick()
    assert webhook.received == []
    home.lease = heir
    home.delivery(webhook.url).tick()
    assert len(webhook.received) == 1


@pytest.mark.parametrize("mark", ["acknowledged", "muted_until"])
def test_mutes_and_acknowledgements_are_respected(home: Home, webhook: Webhook, mark: Any) -> None:
    home.raise_(alert("a"), alert("other", kind="quality"))
    mark_alert(home.store, "demo", "a", mark, home.store.now_s() + 3600)
    # A mute is for all of its kind that come.
    home.raise_(alert("later"))
    home.delivery(webhook.url).tick()
    found = {each["alert"]: each["state"] for each in read_deliveries(home.store, "demo")}
    later = "muted" if mark == "muted_until" else "sent"
    assert found == {"a": "muted", "other": "sent", "later": later}
    assert len(webhook.received) == list(found.values()).count("sent")


@pytest.mark.parametrize("head", ["a", "z"])
def test_one_event_is_told_once(home: Home, webhook: Webhook, head: str) -> None:
    # Whichever of the two is looked at first.
    home.raise_(alert(head), alert("m", kind="quality", follows=head))
    sender = home.delivery(webhook.url)
    sender.tick()
    home.store.data.zadd(keys.notices(0), {"m|demo": 0.0}, xx=True)
    sender.tick()
    assert (len(webhook.received), home.waiting()) == (1, 0)
    assert [each["alert"] for each in read_deliveries(home.store, "demo")] == [head]


def test_mute_of_one_kind_does_not_hide_another_of_the_same_event(
    home: Home, webhook: Webhook
) -> None:
    home.raise_(alert("a"))
    mark_alert(home.store, "demo", "a", "muted_until", home.store.now_s() + 60)
    home.raise_(alert("m", kind="quality", follows="a"))
    home.delivery(webhook.url).tick()
    assert [body["title"] for body in webhook.received] == ["demo: quality"]


def test_alert_that_follows_one_that_is_gone_is_not_told(home: Home, webhook: Webhook) -> None:
    home.raise_(alert("m", follows="gone"))
    home.delivery(webhook.url).tick()
    assert (webhook.received, home.waiting()) == ([], 0)


def test_mute_that_is_over_is_none(home: Home, webhook: Webhook) -> None:
    home.raise_(alert("a"))
    mark_alert(home.store, "demo", "a", "muted_until", home.store.now_s() - 1)
    home.delivery(webhook.url).tick()
    assert home.states() == ["sent"]


def test_small_alerts_are_for_the_page(home: Home, webhook: Webhook) -> None:
    home.raise_(alert("a", "info"), alert("b", "warning"))
    home.delivery(webhook.url, least="critical").tick()
    assert (webhook.received, home.waiting()) == ([], 0)
    home.raise_(alert("c", "info"))
    home.delivery(webhook.url, least="info").tick()
    assert len(webhook.received) == 1


def test_what_is_found_out_about_runs_of_the_past_is_for_the_page(
    home: Home, webhook: Webhook
) -> None:
    home.raise_(alert("a"))
    home.store.data.hset(keys.meta("demo"), "heartbeat", home.store.now_s() - delivery.OLD_S - 5)
    home.delivery(webhook.url).tick()
    assert (webhook.received, home.waiting()) == ([], 0)


def test_without_channels_nothing_piles_up(home: Home, webhook: Webhook) -> None:
    home.raise_(alert("a"))
    home.delivery().tick()
    assert home.waiting() == 0
    home.delivery(webhook.url).tick()
    assert webhook.received == []


def test_deleted_run_is_told_of_by_nobody(home: Home, webhook: Webhook) -> None:
    home.raise_(alert("a"))
    delete_run(home.store, "demo")
    home.delivery(webhook.url).tick()
    assert (webhook.received, home.waiting()) == ([], 0)
    assert [key for key in keys_of(home.store) if "demo" in key] == []


def test_alert_that_nobody_understands_holds_up_no_other(home: Home, webhook: Webhook) -> None:
    home.raise_(alert("a", "strange"), alert("b"))  # type: ignore[arg-type]
    sender = home.delivery(webhook.url)
    sender.tick()
    sender.tick()
    assert (len(webhook.received), home.waiting()) == (1, 0)


def test_failure_is_tried_again_after_a_wait(home: Home, webhook: Webhook) -> None:
    home.raise_(alert("a"))
    webhook.status = 503
    sender = home.delivery(webhook.url)
    sender.tick()
    sender.tick()
    (record,) = read_deliveries(home.store, "demo")
    assert (record["state"], record["tries"], len(webhook.received)) == ("waiting", 1, 1)
    assert "503" in record["error"]
    due_s = home.store.data.zscore(keys.notices(0), "a|demo")
    assert due_s == pytest.approx(record["time"] + delivery.FIRST_WAIT_S, abs=1)


@pytest.mark.usefixtures("at_once")
def test_channel_that_comes_back_is_told(home: Home, webhook: Webhook, mail: MailServer) -> None:
    home.raise_(alert("a"))
    webhook.status = 500
    sender = home.delivery(webhook.url, mail.url)
    for _ in range(3):
        sender.tick()
    webhook.status = 200
    for _ in range(3):
        sender.tick()
    # The other was not told again for it.
    assert (len(webhook.received), len(mail.received)) == (4, 1)
    assert home.states() == ["sent", "sent"]


@pytest.mark.usefixtures("at_once")
def test_channel_that_never_comes_back_is_given_up_where_it_can_be_seen(
    home: Home, webhook: Webhook
) -> None:
    home.raise_(alert("a"), alert("b", kind="quality"))
    webhook.status = 500
    sender = home.delivery(webhook.url)
    for _ in range(MOST_TRIES + 3):
        sender.tick()
    assert len(webhook.received) == 2 * MOST_TRIES
    assert (home.states(), home.waiting()) == (["given_up"] * 2, 0)
    (problem,) = read_run(home.store, "demo").problems
    assert (problem["metric"], problem["count"], problem["first_step"]) == ("notices", 2, 400)
    assert problem["reason"].startswith(f"{Channel(webhook.url).name} took no notice in 10 tries: ")


def test_secrets_stand_nowhere(
    home: Home, webhook: Webhook, mail: MailServer, caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(delivery, "MOST_TRIES", 1)
    home.raise_(alert("a"))
    webhook.status, mail.refuses = 500, True
    home.delivery(webhook.url, mail.url).tick()
    assert home.states() == ["given_up"] * 2
    stored = [home.store.data.dump(key) for key in keys_of(home.store)]
    assert not any(SECRET.encode() in (value or b"") for value in stored)
    ours = [each for each in caplog.records if each.name.startswith("monitor")]
    assert len(ours) == 2
    assert not any(SECRET in each.getMessage() for each in ours)


def test_channel_that_hangs_keeps_nobody_from_watching(
    home: Home, silence: Silence, webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channels, "LONGEST_WAIT_S", WAIT_S)
    monkeypatch.setattr(ticking, "TICK_S", 0.01)
    home.raise_(alert("a"))
    sender = home.delivery(silence.url, webhook.url)
    thread = threading.Thread(target=sender.run)
    thread.start()
    assert silence.called.wait(WAIT_S)
    # It waits for an answer now; alerts are raised as ever.
    home.raise_(alert("b", kind="quality"))
    assert {each["id"] for each in read_run(home.store, "demo").alerts} == {"a", "b"}
    assert home.states() == ["sending"]
    sender.stop()
    silence.close()
    thread.join(WAIT_S)
    assert not thread.is_alive()


CHILD = """
import sys
from monitor.alerts.channels import Channel
from monitor.store.connection import open_store
from monitor.store.watching import Lease
from monitor.watch.delivery import Delivery
redis_url, url, lease = sys.argv[1:]
Delivery(open_store(redis_url), lambda: [Lease(0, lease)], [Channel(url)]).tick()
"""


def test_server_that_is_killed_between_sending_and_noting_it(
    home: Home, webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.raise_(alert("a"))
    arguments = [home.store.redis_url, webhook.url, home.lease.value]
    started = threading.Event()
    child: list[subprocess.Popen[bytes]] = []

    def kill(_: Any) -> None:
        # The notice has come, and its sender is dead before it hears so.
        assert started.wait(WAIT_S)
        os.kill(child[0].pid, signal.SIGKILL)
        child[0].wait(WAIT_S)

    webhook.on_post = kill
    child.append(
        subprocess.Popen([sys.executable, "-c", CHILD, *arguments], cwd=Path(__file__).parents[2])
    )
    started.set()
    assert child[0].wait(WAIT_S) == -signal.SIGKILL
    webhook.on_post = lambda _: None
    heir = home.delivery(webhook.url)
    # Another may be sending it at this very moment.
    heir.tick()
    assert (len(webhook.received), home.states()) == (1, ["sending"])
    monkeypatch.setattr(deliveries, "SENDING_S", 0.0)
    home.store.data.zadd(keys.notices(0), {"a|demo": 0.0})
    for _ in range(3):
        heir.tick()
    # It could not know, so it was sent once more, and then no more.
    assert (len(webhook.received), home.states(), home.waiting()) == (2, ["sent"], 0)


def test_redis_that_dies_while_a_notice_is_sent_makes_no_second_one(
    tmp_path: Path, webhook: Webhook
) -> None:
    with opened(MortalRedis(tmp_path)) as redis:
        home = Home(redis.store)
        home.raise_(alert("a"))
        sender = home.delivery(webhook.url)
        webhook.on_post = lambda _: redis.kill()
        with pytest.raises(StoreError):
            sender.tick()
        webhook.on_post = lambda _: None
        redis.start()
        # Its lease may have run out meanwhile; what was sent is noted all the same.
        sender.tick()
        assert (len(webhook.received), home.states()) == (1, ["sent"])


def test_sender_that_lost_its_notice_to_another_notes_nothing(home: Home) -> None:
    home.raise_(alert("a"))
    first, second = (deliveries.Notice("demo", "a", "x", token) for token in ("one", "two"))
    assert deliveries.begin(home.store, home.lease, first) == ("go", 1.0)
    assert deliveries.begin(home.store, home.lease, second)[0] == "due"
    home.store.data.hset(
        keys.deliveries("demo"),
        "a|x",
        '{"state": "sending", "tries": 2, "time": 0, "token": "two"}',
    )
    deliveries.settle(home.store, first, "waiting", error="late")
    assert b"two" in (home.store.data.hget(keys.deliveries("demo"), "a|x") or b"")
