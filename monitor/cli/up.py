"""Start everything: Redis (embedded unless a URL is given), one worker, the server."""

from monitor.cli.options import SERVER, WORKER, takes_settings
from monitor.cli.product import running
from monitor.config import Settings
from monitor.store.connection import masked

NAME = "up"


@takes_settings(*WORKER, *SERVER)
def run(settings: Settings) -> None:
    with running(settings) as product:
        print(f"dashboard: {product.url}", flush=True)
        print(f"Redis:     {masked(product.store.redis_url)}", flush=True)
        print("hooks of this user find it; stop with Ctrl-C", flush=True)
        product.serve()
