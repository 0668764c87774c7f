"""`sqd alerts`: a test notice says what became of it, the list shows what a run raised."""

import contextlib
import json
import socket
from pathlib import Path

import pytest

from monitor.alerts import channels
from monitor.cli.server import listen, open_channels, page_url
from monitor.config import load_settings
from monitor.errors import MonitorError, SettingsError
from monitor.store.connection import Store
from monitor.store.embedded import EmbeddedRedis
from monitor.store.watching import WatchStore
from monitor.types import Alert
from tests.alerts.mailboxes import SECRET, MailServer, Silence, Webhook, opened
from tests.cli.conftest import Sqd
from tests.cli.test_usage import one_line
from tests.store.posting import Trainer


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


def test_notice_that_is_taken(sqd: Sqd, webhook: Webhook) -> None:
    result = sqd("alerts", "test", webhook.url)
    assert result.code == 0
    assert result.out.startswith("JSON ")
    assert result.out.endswith(": sent\n")
    assert webhook.received[0]["title"] == "sqd-monitor: test"


def test_notice_that_is_not_taken(
    sqd: Sqd, webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channels, "LONGEST_WAIT_S", 0.2)
    webhook.status = 403
    line = one_line(sqd("alerts", "test", webhook.url), 1)
    assert "did not take it" in line
    assert "403" in line
    assert SECRET not in line
    with opened(Silence()) as silence:
        assert "did not take it" in one_line(sqd("alerts", "test", silence.url), 1)
    assert "did not take it" in one_line(sqd("alerts", "test", f"json://127.0.0.1:9/{SECRET}"), 1)


def test_address_that_is_none(sqd: Sqd) -> None:
    line = one_line(sqd("alerts", "test", f"nonsense://{SECRET}"), 1)
    assert "apprise knows nonsense:// not" in line
    assert SECRET not in line


def test_channels_of_the_settings(
    sqd: Sqd, webhook: Webhook, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "there is no channel: give a URL" in one_line(sqd("alerts", "test"), 1)
    with opened(MailServer()) as mail:
        monkeypatch.setenv("SQD_NOTIFY", f"{webhook.url}  {mail.url} {webhook.url}")
        assert sqd("alerts", "test").code == 0
        assert (len(webhook.received), len(mail.received)) == (1, 1)
        mail.refuses = True
        result = sqd("alerts", "test")
        assert "sent" in result.out
        assert "E-Mail" in one_line(result, 1)


def test_list(sqd: Sqd, store: Store, embedded: EmbeddedRedis) -> None:
    Trainer(store)
    watch = WatchStore(store, "mine")
    lease = watch.lease(0)
    assert lease is not None
    raised = Alert("a", "demo", "quality", 1200, 1400, ("Q",), "warning", "Q [red]fell.", 5.0)
    watch.commit(lease, "demo", None, [raised], resolved={"a": 9.0})
    listed = sqd("alerts", "list", "demo", "--redis-url", embedded.redis_url)
    for said in ("warning", "quality", "1,200", "resolved", "[red]fell"):
        assert said in listed.out
    plain = sqd("alerts", "list", "demo", "--json", "--redis-url", embedded.redis_url)
    assert json.loads(plain.out) == [{**raised.as_dict(), "resolved": 9.0}]
    line = one_line(sqd("alerts", "list", "x", "--redis-url", embedded.redis_url), 1)
    assert "no run is called 'x'" in line


def test_settings_of_alerts(here: Path) -> None:
    (here / "sqd.toml").write_text(
        """
        notify = ["json://a.example/secret-1", "mailto://b.example"]
        notify_from = "critical"
        public_url = "https://monitor.example.org/"

        [[rules]]
        when = "D < 2 for 3 batches"
        severity = "critical"
        action = "stop"

        [[rules]]
        when = "S.G > 5 deg"
        """
    )
    settings = load_settings()
    assert [rule.name for rule in settings.rules] == ["D < 2 for 3 batches", "S.G > 5 deg"]
    assert (settings.public_url, settings.notify_from) == (
        "https://monitor.example.org",
        "critical",
    )
    assert "secret-1" not in f"{settings} {settings!r} {settings.environment()}"
    (here / "sqd.toml").write_text('rules = ["D < 2", "loss.D nonfinite"]')
    assert len(load_settings().rules) == 2


def test_variables_of_alerts(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SQD_RULES", "D < 2\nQ < 0.5 for 2 batches")
    monkeypatch.setenv("SQD_NOTIFY", "json://a/ json://b/")
    settings = load_settings()
    assert ([rule.name for rule in settings.rules], len(settings.notify)) == (
        ["D < 2", "Q < 0.5 for 2 batches"], 2,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('rules = ["D is low"]', "rules in sqd.toml is not usable: rule 1: the rule 'D is low' "),
        ("rules = 5", "rules in sqd.toml is not usable: expected a list of rules, not int"),
        ('[[rules]]\nwhne = "D < 2"', "rule 1: a rule has no 'whne'; there are when, name"),
        ("notify = 5", "notify in sqd.toml is not usable"),
        ('notify_from = "all"', "notify_from in sqd.toml is not usable"),
        ('public_url = "monitor"', "public_url in sqd.toml is not usable: expected an address"),
    ],
)
def test_mistakes_in_the_file_are_named(here: Path, text: str, said: str) -> None:
    (here / "sqd.toml").write_text(text)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("host", "public", "link"),
    [
        ("127.0.0.1", "", "http://127.0.0.1:{port}"),
        ("0.0.0.0", "", "http://{name}:{port}"),
        ("0.0.0.0", "https://a.example/sqd/", "https://a.example/sqd"),
    ],
)
def test_links_lead_somewhere(here: Path, host: str, public: str, link: str) -> None:
    settings = load_settings(host=host, port=0, token="t", public_url=public)
    with contextlib.closing(listen(settings)) as listener:
        port, name = listener.getsockname()[1], socket.gethostname()
        assert page_url(settings, listener) == link.format(port=port, name=name)


def test_channel_that_is_none_is_named_by_its_number(here: Path) -> None:
    (here / "sqd.toml").write_text(f'notify = ["json://a.example/", "nonsense://{SECRET}"]')
    with pytest.raises(MonitorError) as caught:
        open_channels(load_settings())
    assert "notify, number 2: " in str(caught.value)
    assert SECRET not in str(caught.value)
