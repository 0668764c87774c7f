"""Logs: one line each, to standard error."""

import logging


def configure(*, verbose: bool = False) -> None:
    """Log warnings (with `verbose`: everything of ours) as ``12:00:00 warning worker: …``."""
    logging.addLevelName(logging.WARNING, "warning")
    logging.addLevelName(logging.ERROR, "error")
    logging.addLevelName(logging.INFO, "info")
    logging.basicConfig(
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        datefmt="%H:%M:%S",
        level=logging.WARNING,
    )
    for name in ("monitor", "trainer_hooks"):
        logging.getLogger(name).setLevel(logging.INFO if verbose else logging.WARNING)
