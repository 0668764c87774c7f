"""Rules: which hold, made and removed."""

from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path, Request

from monitor.alerts.rule import Rule, parse_rule
from monitor.errors import RuleError, StoreError, StoreUnavailableError
from monitor.server.alert_schemas import NewRule, RuleInfo
from monitor.server.errors import QUERY_ERRORS, RUN_ERRORS
from monitor.server.parameters import StoreOfApp
from monitor.server.schemas import ErrorDetail
from monitor.store.rules import delete_rule, keep_rule, stored_rules

CONFLICT: dict[int | str, dict[str, Any]] = {
    409: {"model": ErrorDetail, "description": "it is of sqd.toml, or there are too many"}
}

router = APIRouter(prefix="/api/rules", tags=["rules"])


@router.get("", responses={503: RUN_ERRORS[503]})
def list_rules(store: StoreOfApp, request: Request) -> list[RuleInfo]:
    """All rules: those of sqd.toml first."""
    own: dict[str, Rule] = request.app.state.rules
    found = [_shown(rule, "file") for rule in own.values()]
    for name, told in stored_rules(store).items():
        if name not in own and (rule := _readable(told)) is not None:
            found.append(_shown(rule, "rest"))
    return found


@router.post("", status_code=201, responses={**QUERY_ERRORS, **CONFLICT})
def make_rule(store: StoreOfApp, request: Request, rule: NewRule) -> RuleInfo:
    """Make a rule; it holds within seconds, from then on. The same condition again replaces it."""
    try:
        parsed = parse_rule(rule.model_dump(exclude_none=True))
    except RuleError as error:
        raise HTTPException(422, str(error)) from error
    if parsed.id in request.app.state.rules:
        raise HTTPException(409, f"the rule {parsed.when.text!r} is in sqd.toml; change it there")
    try:
        keep_rule(store, parsed.id, parsed.told)
    except StoreUnavailableError:
        raise
    except StoreError as error:
        raise HTTPException(409, str(error)) from error
    return _shown(parsed, "rest")


@router.delete("/{rule}", status_code=204, responses={**RUN_ERRORS, **CONFLICT})
def remove_rule(
    store: StoreOfApp,
    request: Request,
    rule: Annotated[str, Path(description="id of the rule", max_length=64, examples=["9434cf53"])],
) -> None:
    """Remove a rule; its open alerts are over."""
    if rule in request.app.state.rules:
        raise HTTPException(409, f"the rule {rule!r} is in sqd.toml; remove it there")
    delete_rule(store, rule)


def _readable(told: object) -> Rule | None:
    try:
        return parse_rule(told)
    except RuleError:
        return None  # The watch has said so.


def _shown(rule: Rule, source: str) -> RuleInfo:
    clear = rule.told.get("clear")
    return RuleInfo.model_validate(
        {
            "id": rule.id, "name": rule.name, "when": rule.when.text, "run": rule.run,
            "severity": rule.severity, "cooldown": rule.cooldown.text, "action": rule.action,
            "clear": None if clear is None else str(clear), "source": source,
        }
    )  # fmt: skip
