"""Run the server: REST, live events, the dashboard, and the watch for turning points."""

import contextlib
import logging
import socket
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from monitor.cli.options import SERVER, takes_settings
from monitor.config import Settings
from monitor.errors import ChannelError, MonitorError
from monitor.store.connection import Store, open_store

if TYPE_CHECKING:
    import uvicorn

    from monitor.alerts.channels import Channel

NAME = "server"
#: Longest wait for the watch to store its state, and for a notice that is on its way, when the
#: server stops, seconds.
WATCH_STOP_S = 1


@takes_settings(*SERVER)
def run(settings: Settings) -> None:
    with contextlib.closing(listen(settings)) as listener:
        store = open_store(*settings.found_redis())
        print(f"dashboard: {address(listener)}", flush=True)
        serve(settings, store, listener)


def listen(settings: Settings) -> socket.socket:
    """A listening socket; connections wait until there is a server.

    Raises:
        MonitorError: the port is taken, others could reach it and there is no token, or there is
            none but a read token.
    """
    if not settings.is_loopback and settings.token is None:
        raise MonitorError(
            f"host {settings.host} can be reached from other machines: give --token (SQD_TOKEN), "
            "or listen on 127.0.0.1"
        )
    if settings.read_token is not None and settings.token is None:
        raise MonitorError("--read-token (SQD_READ_TOKEN) needs --token, or everybody could write")
    listener = socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Connections inherit it. Else the body of an answer waits 40 ms for the other side to have
    # acknowledged its head (Nagle); asyncio sees to it only for sockets that it made itself.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        listener.bind((settings.host, settings.port))
        # Now: two sockets may be bound to one port as long as neither listens.
        listener.listen()
    except OSError as error:
        listener.close()
        raise MonitorError(
            f"port {settings.port} on {settings.host} cannot be used ({error.strerror}); "
            "choose another with --port, or 0 for a free one"
        ) from error
    return listener


def address(listener: socket.socket) -> str:
    """URL of the dashboard."""
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{port}"


def own_hosts(settings: Settings) -> set[str]:
    """Names under which people may ask for the server: where it listens, and its proxy's."""
    return {settings.host, urlsplit(settings.public_url).hostname or settings.host}


def page_url(settings: Settings, listener: socket.socket) -> str:
    """Where people reach the page, as far as we know."""
    if settings.public_url:
        return settings.public_url
    host, port = listener.getsockname()[:2]
    if host in ("0.0.0.0", "::"):  # All addresses are none that a link could lead to.
        return f"http://{socket.gethostname()}:{port}"
    return address(listener)


def serve(
    settings: Settings,
    store: Store,
    listener: socket.socket,
    *,
    started: Callable[["uvicorn.Server"], None] = lambda _: None,
) -> None:
    """Serve until SIGINT or SIGTERM, or until `started`'s server is told to exit."""
    # Here, so that commands which do not serve need no web framework installed.
    from monitor.server.app import create_app
    from monitor.server.serve import Server
    from monitor.server.shield import LOOPBACK_HOSTS
    from monitor.watch.delivery import Delivery
    from monitor.watch.loop import Watch
    from monitor.watch.retention import Limits

    channels = open_channels(settings)
    app = create_app(
        store,
        token=settings.token.get_secret_value() if settings.token else None,
        read_token=settings.read_token.get_secret_value() if settings.read_token else None,
        allowed_hosts=LOOPBACK_HOSTS | own_hosts(settings) if settings.is_loopback else None,
        rules=settings.rules,
    )
    server = Server(app, log_config=None, server_header=False)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    limits = Limits(settings.retain_days, settings.retain_bytes, settings.retain_grids)
    watch = Watch(store, rules=settings.rules, limits=limits, sensitivity=settings.sensitivity)
    delivery = Delivery(
        store, watch.leases, channels, page_url(settings, listener), settings.notify_from
    )
    threads = [
        threading.Thread(target=watch.run, name="watch", daemon=True),
        threading.Thread(target=delivery.run, name="delivery", daemon=True),
    ]
    for thread in threads:
        thread.start()
    started(server)
    try:
        server.run(sockets=[listener])
    except KeyboardInterrupt:
        # Ctrl-C is how a server ends: uvicorn raises the signal again when it has stopped.
        pass
    finally:
        delivery.stop()
        watch.stop()
        for thread in threads:
            thread.join(WATCH_STOP_S)


def open_channels(settings: Settings) -> "list[Channel]":
    """The channels of the settings, each once.

    Raises:
        MonitorError: names the one that is not usable by its number, never its address.
    """
    from monitor.alerts.channels import Channel

    found: dict[str, Channel] = {}
    for number, secret in enumerate(settings.notify, start=1):
        try:
            channel = Channel(secret.get_secret_value())
        except ChannelError as error:
            raise MonitorError(f"notify, number {number}: {error}") from error
        found.setdefault(channel.name, channel)
    return list(found.values())
