"""Start everything: Redis (embedded unless a URL is given), one worker, the server."""

import shlex

from monitor.cli.options import SERVER, WORKER, takes_settings
from monitor.cli.product import running
from monitor.config import DEFAULT_HOME, Settings
from monitor.store.connection import masked

NAME = "up"


@takes_settings(*WORKER, *SERVER)
def run(settings: Settings) -> None:
    with running(settings) as product:
        print(f"dashboard: {product.url}", flush=True)
        print(f"Redis:     {masked(product.store.redis_url)}", flush=True)
        print(f"{_found_by(settings)}; stop with Ctrl-C", flush=True)
        product.serve()


def _found_by(settings: Settings) -> str:
    """How a trainer finds this Redis."""
    if settings.home == DEFAULT_HOME.expanduser().absolute():
        return "hooks of this user find it"
    return f"hooks of this user find it with SQD_HOME={shlex.quote(str(settings.home))}"
