"""Run the server: REST, live events, the dashboard, and the watch for turning points."""

import contextlib
import logging
import socket
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from monitor.cli.options import SERVER, takes_settings
from monitor.config import Settings
from monitor.errors import MonitorError
from monitor.store.connection import Store, open_store

if TYPE_CHECKING:
    import uvicorn

NAME = "server"
#: Longest wait for the watch to store its state when the server stops, seconds.
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
        MonitorError: the port is taken, or others could reach it and there is no token.
    """
    if not settings.is_loopback and settings.token is None:
        raise MonitorError(
            f"host {settings.host} can be reached from other machines: give --token (SQD_TOKEN), "
            "or listen on 127.0.0.1"
        )
    listener = socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
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
    from monitor.watch.loop import Watch

    token = settings.token.get_secret_value() if settings.token else None
    hosts = LOOPBACK_HOSTS if settings.is_loopback else None
    server = Server(create_app(store, token=token, allowed_hosts=hosts), log_config=None)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    watch = Watch(store, sensitivity=settings.sensitivity)
    thread = threading.Thread(target=watch.run, name="watch", daemon=True)
    thread.start()
    started(server)
    try:
        server.run(sockets=[listener])
    except KeyboardInterrupt:
        # Ctrl-C is how a server ends: uvicorn raises the signal again when it has stopped.
        pass
    finally:
        watch.stop()
        thread.join(WATCH_STOP_S)
