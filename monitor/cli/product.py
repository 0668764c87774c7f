"""The whole product in one command: Redis, one worker, the server; all gone when it ends."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from monitor.cli.keeper import Keeper
from monitor.cli.server import address, listen, serve
from monitor.config import Settings
from monitor.errors import MonitorError
from monitor.store.connection import Store, open_store
from monitor.store.embedded import EmbeddedRedis

if TYPE_CHECKING:
    import uvicorn


class Product:
    """Runs the server in this process; made by `running`.

    Attributes:
        settings: with the URLs of the Redis that is really used.
        store: its clients.
        url: of the dashboard.
    """

    def __init__(self, settings: Settings, store: Store, listener: Any) -> None:
        self.settings = settings
        self.store = store
        self.url = address(listener)
        self._listener = listener
        self._server: uvicorn.Server | None = None
        self._stopping = threading.Event()
        self._failure = ""
        #: Begins to stop what takes long to end; set once it has been started.
        self.ask_to_stop: Callable[[], None] = lambda: None

    @property
    def stopping(self) -> bool:
        """Whether `stop` was called, or the server was told to end."""
        return self._stopping.is_set() or (self._server is not None and self._server.should_exit)

    def serve(self) -> None:
        """Serve until a signal or `stop`.

        Raises:
            MonitorError: `stop` was called with a failure.
        """
        try:
            serve(self.settings, self.store, self._listener, started=self._started)
        finally:
            self._stopping.set()
            self.ask_to_stop()
        if self._failure:
            raise MonitorError(self._failure)

    def stop(self, failure: str = "") -> None:
        """End `serve` soon; from any thread. The first failure is raised by it."""
        self._failure = self._failure or failure
        self._stopping.set()
        if self._server is not None:
            self._server.should_exit = True

    def _started(self, server: "uvicorn.Server") -> None:
        self._server = server
        server.should_exit = self._stopping.is_set()


@contextlib.contextmanager
def running(settings: Settings) -> Iterator[Product]:
    """Socket, Redis and worker, in this order; all gone when it ends."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(contextlib.closing(listen(settings)))
        embedded = None
        if settings.redis_url is None:
            embedded = EmbeddedRedis(settings.home)
            stack.callback(embedded.close)
            embedded.announce(server_url=address(listener))
        store = embedded.store if embedded else open_store(*settings.found_redis())
        used = {"redis_url": SecretStr(store.redis_url), "blob_url": SecretStr(store.blob_url)}
        product = Product(settings.model_copy(update=used), store, listener)
        keeper = Keeper(product.settings.environment(), store, embedded, product.stop)
        stack.callback(keeper.close)
        product.ask_to_stop = keeper.ask_to_stop
        yield product
