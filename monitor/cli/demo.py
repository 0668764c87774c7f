"""Watch a real GAN learn real faces: `up`, and a trainer on 100 faces, live in the browser."""

import sys
from typing import Annotated

import typer

from monitor.cli.options import SERVER, takes_settings
from monitor.cli.product import Product, running
from monitor.cli.progress import Progress
from monitor.config import Settings
from monitor.process import start_child, stop_children

NAME = "demo"
#: The embedder and the reference set that ship for the demo.
DEMO_SET = "faces100"

Iterations = Annotated[int | None, typer.Option(min=1, help="End after this many iterations.")]
Headless = Annotated[bool, typer.Option("--headless", help="End by itself with a summary.")]


@takes_settings(*SERVER, "device")
def run(
    settings: Settings,
    iterations: Iterations = None,
    headless: Headless = False,
    seed: Annotated[int, typer.Option(help="Of the training.")] = 0,
    name: Annotated[str, typer.Option("--run", help="Name of the run.")] = "demo",
) -> None:
    if headless and iterations is None:
        raise typer.BadParameter("--headless needs --iterations")
    chosen = settings.model_copy(update={"embedder": DEMO_SET, "reference": DEMO_SET})
    with running(chosen) as product:
        print(f"dashboard: {product.url}", flush=True)
        print("a GAN learns 100 real faces; stop with Ctrl-C", flush=True)
        progress = Progress(product, headless=headless)
        trainer = start_child(_command(name, iterations, seed), environment=_hooks(product))
        try:
            progress.follow(trainer)
            product.serve()
        finally:
            # First: while Redis and the server are there it can say that its run is finished.
            stop_children([trainer])


def _command(name: str, iterations: int | None, seed: int) -> list[str]:
    command = [sys.executable, "-m", "monitor.demo", "--run", name, "--seed", str(seed)]
    return command if iterations is None else [*command, "--iterations", str(iterations)]


def _hooks(product: Product) -> dict[str, str]:
    """The trainer's environment: where its hooks find Redis, and no spinning threads."""
    told = product.settings.environment()
    places = {name: told[name] for name in ("SQD_REDIS_URL", "SQD_BLOB_URL", "SQD_HOME")}
    return {**places, "OMP_WAIT_POLICY": "PASSIVE"}
