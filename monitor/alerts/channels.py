"""Channels: where people are told, through apprise (Slack, Discord, mail, Telegram, webhooks, …).

An address holds secrets. It is never shown: a channel is known by its service and a short mark, and
what a library says of a failure is shown without any part of the address.
"""

import hashlib
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from monitor.errors import ChannelError
from monitor.types import Severity

if TYPE_CHECKING:
    from apprise import NotifyBase

#: Digits that tell two channels of one service apart.
MARK_DIGITS = 6
#: Parts of an address that are too short to be a secret, and would blot out other words.
SHORT = 3
#: Longest reason that is kept, characters.
MOST_REASON = 300
#: Lines of a library's log that may say why a send failed; the last ones.
MOST_LINES = 3
#: Longest wait for each answer of a service, seconds: a server that is told to end waits for it.
LONGEST_WAIT_S = 4.0
#: What apprise calls our severities.
TYPES = {"info": "info", "warning": "warning", "critical": "failure"}
_HIDDEN = "****"


@dataclass(frozen=True, slots=True)
class Letter:
    """What is sent.

    Attributes:
        title, body: plain text.
        severity: sets the colour, where a service has one.
        pictures: file name and PNG bytes; services without attachments leave them out.
    """

    title: str
    body: str
    severity: Severity
    pictures: Sequence[tuple[str, bytes]] = ()


class Channel:
    """One address.

    Args:
        url: as apprise reads it.
    Raises:
        ChannelError: it is no such address; does not show it.
    """

    def __init__(self, url: str) -> None:
        # Here: a third of a second, which no other command needs to wait.
        from apprise import Apprise, AppriseAsset

        # It logs addresses when it is asked to be talkative.
        logging.getLogger("apprise").propagate = False
        asset = AppriseAsset(
            app_id="sqd-monitor", app_desc="sqd-monitor", app_url="", async_mode=False,
            image_url_mask="", image_url_logo="", service_timeout=0,
        )  # fmt: skip
        plugin = Apprise.instantiate(url, asset=asset)
        if plugin is None:
            scheme = url.partition("://")[0] if "://" in url else ""
            known = f"{scheme}://" if re.fullmatch(r"[a-z0-9]{1,20}", scheme) else "it"
            raise ChannelError(
                f"the address of a channel is not usable: apprise knows {known} not, or something "
                "is missing from it; see docs/alerts.md"
            )
        plugin.socket_connect_timeout = min(plugin.socket_connect_timeout, LONGEST_WAIT_S)
        plugin.socket_read_timeout = min(plugin.socket_read_timeout, LONGEST_WAIT_S)
        self._plugin: NotifyBase = plugin
        self._secrets = secrets_of(url)
        masked = str(plugin.url(privacy=True))  # type: ignore[no-untyped-call]
        mark = hashlib.sha256(masked.encode()).hexdigest()[:MARK_DIGITS]
        self.name = f"{plugin.service_name} {mark}"

    def send(self, letter: Letter) -> None:
        """Send it; takes as long as the service's timeouts, some seconds each.

        Raises:
            ChannelError: it was not taken, or nobody can say; names the reason.
        """
        from apprise import Apprise
        from apprise.attachment.memory import AttachMemory

        pictures = [
            AttachMemory(content=data, name=name, mimetype="image/png")  # type: ignore[no-untyped-call]
            for name, data in letter.pictures
        ]
        sender = Apprise()
        sender.add(self._plugin)
        answer = sender.notify(
            title=letter.title,
            body=letter.body,
            notify_type=TYPES[letter.severity],
            body_format="text",
            attach=pictures or None,
        )
        if not answer:
            said = [entry.message for entry in answer.logs()]
            raise ChannelError(self._shown(said) or "the service did not take it")

    def _shown(self, lines: Sequence[str]) -> str:
        text = "; ".join(" ".join(line.split()) for line in lines[-MOST_LINES:])
        return redacted(text, self._secrets)[:MOST_REASON]


def secrets_of(url: str) -> list[str]:
    """Every part of an address that may be a secret, the longest first.

    In many of apprise's addresses even the host is a token; a name with a dot, or of this machine,
    is not.
    """
    parts = set(re.split(r"[/?&=@:#,\s]+", url.partition("://")[2]))
    parts |= {unquote(part) for part in parts}
    host = _host(url)
    if "." in host or host == "localhost":
        parts.discard(host)
    return sorted((part for part in parts if len(part) > SHORT), key=len, reverse=True)


def redacted(text: str, secrets: Sequence[str]) -> str:
    """The text without them."""
    for secret in secrets:
        text = text.replace(secret, _HIDDEN)
    return text


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
