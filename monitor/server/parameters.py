"""What the calls share: the store, and the parameters in their paths."""

from typing import Annotated

from fastapi import Depends, Path, Request

from monitor.server.curves import Curves
from monitor.store.connection import Store
from trainer_hooks.names import MAX_RUN_NAME

#: Largest step: browsers count exactly up to here.
MAX_STEP = 2**53 - 1


async def store_of(request: Request) -> Store:
    """The store that the app was made with."""
    store = request.app.state.store
    assert isinstance(store, Store)
    return store


async def curves_of(request: Request) -> Curves:
    """What answers queries of series, with what it keeps from one to the next."""
    curves = request.app.state.curves
    assert isinstance(curves, Curves)
    return curves


CurvesOfApp = Annotated[Curves, Depends(curves_of)]
StoreOfApp = Annotated[Store, Depends(store_of)]
RunId = Annotated[
    str,
    Path(
        max_length=MAX_RUN_NAME,
        description="id of the run, percent-encoded",
        examples=["demo"],
    ),
]
Step = Annotated[int, Path(description="training step", ge=0, le=MAX_STEP, examples=[600])]
