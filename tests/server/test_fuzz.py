"""Whatever the description allows, and much that it does not: the answers are as described."""

import contextlib
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode, checks

from monitor.server.app import create_app
from monitor.server.throttle import Throttle
from monitor.store.connection import Store
from monitor.store.workers import beat
from tests.server.laboratory import Laboratory, alert
from tests.server.listening import serving
from tests.server.test_samples import MODES

TOKEN = "right"
#: Questions per call and kind; with all calls some thirty seconds on a busy machine.
EXAMPLES = 8
#: The same questions every time.
SEED = 20261128
CHECKS: list[Any] = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]


@pytest.fixture
def client(store: Store) -> Iterator[httpx.Client]:
    """Of a server with a token, whose event streams end after what they have."""

    async def at_once(wait_s: float) -> None: ...

    app = create_app(store, token=TOKEN, throttle=Throttle(pause=at_once))
    with serving(app) as found:
        app.state.hub.close()
        yield found


@pytest.mark.parametrize(
    ("token", "mode"),
    [
        (TOKEN, GenerationMode.POSITIVE),
        (TOKEN, GenerationMode.NEGATIVE),
        ("wrong", GenerationMode.POSITIVE),
    ],
)
def test_answers_are_as_described(
    client: httpx.Client, laboratory: Laboratory, token: str, mode: GenerationMode
) -> None:
    run = laboratory.start("demo", tags=("a",))
    laboratory.weights(run, {"S.G": [0.1, None], "S.G/w": [0.1, 0.2]})
    laboratory.samples(run, 600, {"Q": [0.5]}, grid=b"x" * 99, modes=MODES)
    laboratory.watched("demo", {"metrics": {}}, [alert("demo", "diversity", 2)])
    beat(laboratory.store, "w1", {"device": "cpu"})
    schema = schemathesis.openapi.from_url(f"{client.base_url}/openapi.json")
    found: list[Any] = list(schema.get_all_operations())
    operations = [each.ok() for each in found]
    asked = 0
    # The run is removed last.
    for operation in sorted(operations, key=lambda each: bool(each.method == "delete")):

        @seed(SEED)
        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode), mine=st.booleans())
        def check(case: Any, mine: bool) -> None:
            nonlocal asked
            asked += 1
            # Half of the questions are about the run that is there.
            if mine:
                for name, value in (("run", "demo"), ("step", 600)):
                    if name in (case.path_parameters or {}):
                        case.path_parameters[name] = value
            case.call_and_validate(
                base_url=str(client.base_url),
                headers={"Authorization": f"Bearer {token}"},
                checks=CHECKS,
            )

        with contextlib.suppress(Unsatisfiable):
            check()
    assert asked > 100
