"""Run the server: REST, live events, the dashboard, and the watch for turning points."""

import logging
import socket
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from monitor.cli.options import BlobUrl, Home, Host, Port, RedisUrl, Token, Verbose
from monitor.config import Settings, load_settings
from monitor.errors import SettingsError
from monitor.logs import configure
from monitor.store.connection import Store, open_store

if TYPE_CHECKING:
    import uvicorn

NAME = "server"
#: Longest wait for the watch to store its state when the server stops, seconds.
WATCH_STOP_S = 1


def run(
    redis_url: RedisUrl = None,
    blob_url: BlobUrl = None,
    host: Host = None,
    port: Port = None,
    home: Home = None,
    token: Token = None,
    verbose: Verbose = False,
) -> None:
    configure(verbose=verbose)
    settings = load_settings(
        redis_url=redis_url, blob_url=blob_url, host=host, port=port, home=home, token=token
    )
    listener = listen(settings)
    print(f"dashboard: {address(listener)}", flush=True)
    serve(settings, open_store(*settings.found_redis()), listener)


def listen(settings: Settings) -> socket.socket:
    """A listening socket.

    Raises:
        SettingsError: the port is taken, or the address is open to others and there is no token.
    """
    if not settings.is_loopback and settings.token is None:
        raise SettingsError(
            f"host {settings.host} can be reached from other machines: give --token (SQD_TOKEN), "
            "or listen on 127.0.0.1"
        )
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
        # From here on browsers wait instead of being refused while the server starts.
        listener.listen()
    except OSError as error:
        listener.close()
        raise SettingsError(
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
    from monitor.server.app import LOOPBACK_HOSTS, create_app
    from monitor.server.serve import Server
    from monitor.watch.loop import Watch

    token = settings.token.get_secret_value() if settings.token else None
    hosts = LOOPBACK_HOSTS if settings.is_loopback else None
    server = Server(create_app(store, token=token, allowed_hosts=hosts), log_config=None)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    watch = Watch(store)
    thread = threading.Thread(target=watch.run, name="watch", daemon=True)
    thread.start()
    started(server)
    try:
        server.run(sockets=[listener])
    finally:
        watch.stop()
        thread.join(WATCH_STOP_S)
