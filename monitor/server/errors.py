"""Errors as clients see them: `{"detail": "one sentence"}` with the right status, no traceback."""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exception_handlers import http_exception_handler
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from monitor.errors import (
    StoreError,
    UnknownAlertError,
    UnknownMetricError,
    UnknownRuleError,
    UnknownRunError,
)
from monitor.server.schemas import ErrorDetail

#: When to ask again while the store is away, seconds.
RETRY_AFTER_S = 2
#: Longest piece of a refused value that is quoted back, characters.
MOST_QUOTED = 60

#: What the framework says, and nobody else here, of a body that it cannot even decode.
UNREADABLE = 400

#: For /openapi.json: what every call on one run may answer.
RUN_ERRORS: dict[int | str, dict[str, Any]] = {
    404: {"model": ErrorDetail, "description": "unknown run, metric or step; says which"},
    422: {"model": ErrorDetail, "description": "a parameter is out of bounds; says which"},
    503: {"model": ErrorDetail, "description": "the store is away"},
}
#: For /openapi.json: what calls on all runs may answer.
QUERY_ERRORS: dict[int | str, dict[str, Any]] = {code: RUN_ERRORS[code] for code in (422, 503)}

#: For /openapi.json: what stands before every call may answer (monitor.server.shield).
SHIELD_ERRORS: dict[int | str, dict[str, Any]] = {
    400: {"model": ErrorDetail, "description": "a host name that is not answered to"},
    413: {"model": ErrorDetail, "description": "a body that is too large"},
    414: {"model": ErrorDetail, "description": "an address that is too long"},
}


def add_error_handlers(app: FastAPI) -> None:
    """Answer every error of `app` as JSON."""
    for unknown in (UnknownRunError, UnknownMetricError, UnknownAlertError, UnknownRuleError):
        app.add_exception_handler(unknown, _not_found)
    app.add_exception_handler(StoreError, _away)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(Exception, _defect)


async def _not_found(request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": str(error)}, 404)


async def _away(request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": str(error)}, 503, {"Retry-After": str(RETRY_AFTER_S)})


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    detail = "; ".join(dict.fromkeys(_sentence(entry) for entry in error.errors()))
    return JSONResponse({"detail": detail}, 422)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == UNREADABLE:
        return JSONResponse({"detail": "request body, as a whole: it is no JSON in UTF-8"}, 422)
    return await http_exception_handler(request, error)


async def _defect(request: Request, error: Exception) -> JSONResponse:
    detail = f"the server failed on this request ({type(error).__name__}); its log says why"
    return JSONResponse({"detail": detail}, 500)


def _sentence(entry: dict[str, Any]) -> str:
    where, *names = entry["loc"]
    message = str(entry["msg"]).removeprefix("Value error, ")
    if where == "body":
        # The body holds a secret: never quoted.
        return f"request body, {'.'.join(map(str, names)) or 'as a whole'}: {message}"
    quoted = repr(entry["input"])[:MOST_QUOTED]
    return f"{where} parameter {names[0]!r} is {quoted}: {message}"
