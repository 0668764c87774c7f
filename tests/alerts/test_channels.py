"""Letters reach a real webhook and a real mail server; failures are told without the address."""

import io
import logging

import pytest

from monitor.alerts import channels
from monitor.alerts.channels import Channel, Letter, redacted, secrets_of
from monitor.errors import ChannelError
from tests.alerts.mailboxes import SECRET, MailServer, Silence, Webhook

PICTURE = b"\x89PNG not really"
LETTER = Letter("demo: mode collapse", "D fell <b> & so on", "critical", [("curves.png", PICTURE)])


def test_webhook_gets_all_of_it(webhook: Webhook) -> None:
    Channel(webhook.url).send(LETTER)
    (body,) = webhook.received
    assert (body["title"], body["message"], body["type"]) == (LETTER.title, LETTER.body, "failure")
    assert webhook.pictures(0) == {"curves.png": PICTURE}


def test_mail_has_the_pictures_attached_and_text_is_text(mail: MailServer) -> None:
    Channel(mail.url).send(LETTER)
    (message,) = mail.received
    assert message["Subject"] == LETTER.title
    parts = {part.get_content_type(): part for part in message.walk()}
    assert parts["image/png"].get_filename() == "curves.png"
    assert parts["image/png"].get_payload(decode=True) == PICTURE
    html = parts["text/html"].get_content() if "text/html" in parts else ""
    assert "<b>" not in html
    plain = parts["text/plain"].get_content() if "text/plain" in parts else html
    assert "D fell" in plain


def test_refusal_says_why_and_shows_no_secret(webhook: Webhook, mail: MailServer) -> None:
    webhook.status = 500
    mail.refuses = True
    for url, said in ((webhook.url, "500"), (mail.url, "Sending email")):
        with pytest.raises(ChannelError) as caught:
            Channel(url).send(LETTER)
        assert said in str(caught.value)
        assert SECRET not in str(caught.value)
        assert "\n" not in str(caught.value)


def test_server_that_never_answers_is_given_up(
    silence: Silence, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channels, "LONGEST_WAIT_S", 0.2)
    mail = f"mailto://127.0.0.1:{silence.port}/?from=a@b.example&to=c@d.example&mode=insecure"
    for url in (silence.url, mail):
        with pytest.raises(ChannelError):
            Channel(url).send(LETTER)
    assert silence.called.is_set()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (f"nonsense://{SECRET}", "apprise knows nonsense:// not"),
        (SECRET, "apprise knows it not"),
        (f"{SECRET}://x", "apprise knows it not"),
        (f"slack://{SECRET}", "apprise knows slack:// not, or something is missing from it"),
        ("", "apprise knows it not"),
    ],
)
def test_address_that_is_none_is_not_shown(url: str, said: str) -> None:
    with pytest.raises(ChannelError) as caught:
        Channel(url)
    assert said in str(caught.value)
    assert SECRET not in str(caught.value)


def test_name_tells_channels_apart_and_gives_nothing_away(webhook: Webhook) -> None:
    first, again = Channel(webhook.url), Channel(webhook.url)
    other = Channel(f"json://127.0.0.1:1/{SECRET}")
    assert first.name == again.name != other.name
    assert first.name.startswith("JSON ")
    assert SECRET not in first.name


def test_logs_do_not_show_addresses(webhook: Webhook, mail: MailServer) -> None:
    webhook.status, mail.refuses = 500, True
    lines = io.StringIO()
    handler, root = logging.StreamHandler(lines), logging.getLogger()
    root.addHandler(handler)
    try:
        for url in (webhook.url, mail.url):
            with pytest.raises(ChannelError):
                Channel(url).send(LETTER)
        root.warning("heard")
    finally:
        root.removeHandler(handler)
    assert lines.getvalue() == "heard\n"


@pytest.mark.parametrize(
    ("url", "secrets"),
    [
        ("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdn/#general", "T1JJ3T3L2 A1BRTD4JD TIiajkdn general"),
        ("mailto://me:pa%20ss@smtp.example.org?to=you@b.example", "pa%20ss pa ss"),
        ("tgram://123456789:abcdefg/12315544/", "123456789 abcdefg 12315544"),
    ],
)
def test_secrets_of_an_address(url: str, secrets: str) -> None:
    found = secrets_of(url)
    assert redacted(secrets, found).replace("****", "").replace(" ", "").replace("ss", "") in (
        "", "pa",
    )  # fmt: skip
    assert "smtp.example.org" not in found
