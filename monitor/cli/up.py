"""Start everything: Redis (embedded unless a URL is given), one worker, the server."""

import contextlib
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from monitor.cli.options import (
    BlobUrl,
    Device,
    Embedder,
    Home,
    Host,
    Port,
    Quality,
    RedisUrl,
    Reference,
    Token,
    Verbose,
)
from monitor.cli.server import address, listen, serve
from monitor.config import Settings, load_settings
from monitor.logs import configure
from monitor.process import start_child, stop_children
from monitor.store.connection import Store, masked, open_store
from monitor.store.embedded import EmbeddedRedis

if TYPE_CHECKING:
    import uvicorn

NAME = "up"
#: How often children are looked at, seconds.
LOOK_S = 0.5
#: Wait before a worker that died is started again, seconds.
RESTART_S = 2.0


def run(
    redis_url: RedisUrl = None,
    blob_url: BlobUrl = None,
    host: Host = None,
    port: Port = None,
    home: Home = None,
    device: Device = None,
    quality: Quality = None,
    embedder: Embedder = None,
    reference: Reference = None,
    token: Token = None,
    verbose: Verbose = False,
) -> None:
    configure(verbose=verbose)
    settings = load_settings(
        redis_url=redis_url,
        blob_url=blob_url,
        host=host,
        port=port,
        home=home,
        device=device,
        quality=quality,
        embedder=embedder,
        reference=reference,
        token=token,
    )
    with running(settings, verbose=verbose) as product:
        print(f"dashboard: {product.url}", flush=True)
        print(f"Redis:     {masked(product.redis_url)} (hooks of this user find it)", flush=True)
        print("stop with Ctrl-C", flush=True)
        product.serve()


@dataclass
class Product:
    """Redis, a worker and a listening socket; `serve` runs the server in this process."""

    settings: Settings
    store: Store
    redis_url: str
    url: str
    listener: Any
    children: "Children"

    def serve(self) -> None:
        """Serve until a signal, or until a child's death makes it pointless."""
        serve(self.settings, self.store, self.listener, started=self.children.watch)
        if self.children.fatal:
            print(f"sqd: {self.children.fatal}", file=sys.stderr)
            sys.exit(1)


class Children:
    """The worker, and what must end with us; a worker that dies is started again."""

    def __init__(self, embedded: EmbeddedRedis | None) -> None:
        self._embedded = embedded
        self._commands: list[tuple[list[str], dict[str, str]]] = []
        self._children: list[subprocess.Popen[bytes]] = []
        self._on_start: list[Callable[[uvicorn.Server], None]] = []
        self._closing = threading.Event()
        self.fatal = ""

    def start(self, command: list[str], environment: dict[str, str]) -> None:
        """Start a child that is kept alive."""
        self._commands.append((command, environment))
        self._children.append(start_child(command, environment=environment))

    def watch(self, server: "uvicorn.Server") -> None:
        """Look after the children from now on, and end the server when Redis is gone."""
        threading.Thread(target=self._watch, args=[server], name="children", daemon=True).start()
        for begin in self._on_start:
            begin(server)

    def on_start(self, begin: Callable[["uvicorn.Server"], None]) -> None:
        """Call `begin` with the server once it is there."""
        self._on_start.append(begin)

    def close(self) -> None:
        """Stop all children."""
        self._closing.set()
        stop_children(self._children)

    def _watch(self, server: "uvicorn.Server") -> None:
        while not self._closing.wait(LOOK_S):
            dead = self._embedded.dead() if self._embedded else None
            if dead:
                self.fatal = f"the {dead} Redis has ended; its log is in the home directory"
                server.should_exit = True
                return
            for index, child in enumerate(self._children):
                if child.poll() is not None and not self._closing.wait(RESTART_S):
                    print(f"sqd: worker ended with {child.returncode}; starting it again",
                          file=sys.stderr)  # fmt: skip
                    command, environment = self._commands[index]
                    self._children[index] = start_child(command, environment=environment)


@contextlib.contextmanager
def running(settings: Settings, *, verbose: bool) -> Iterator[Product]:
    """Redis, worker and socket, in this order; all gone when it ends."""
    with contextlib.ExitStack() as stack:
        embedded = None
        if settings.redis_url is None:
            embedded = EmbeddedRedis(settings.home)
            stack.callback(embedded.close)
            redis_url, store = embedded.redis_url, embedded.store
        else:
            redis_url, blob_url = settings.found_redis()
            store = open_store(redis_url, blob_url)
        listener = stack.enter_context(contextlib.closing(listen(settings)))
        url = address(listener)
        if embedded is not None:
            embedded.announce(server_url=url)
        children = Children(embedded)
        stack.callback(children.close)
        children.start(_worker_command(settings, verbose), _environment(settings, redis_url))
        yield Product(settings, store, redis_url, url, listener, children)


def _worker_command(settings: Settings, verbose: bool) -> list[str]:
    options = {
        "--home": str(settings.home),
        "--device": settings.device,
        "--quality": settings.quality,
        "--embedder": settings.embedder,
        "--reference": settings.reference,
    }
    given = [part for option, value in options.items() if value for part in (option, value)]
    flags = ["--verbose"] if verbose else []
    return [sys.executable, "-m", "monitor.cli", "worker", *given, *flags]


def _environment(settings: Settings, redis_url: str) -> dict[str, str]:
    """Secrets go by the environment: arguments can be read by everybody."""
    environment = {"SQD_REDIS_URL": redis_url, "SQD_HOME": str(settings.home)}
    if settings.blob_url is not None:
        environment["SQD_BLOB_URL"] = settings.blob_url.get_secret_value()
    return environment
