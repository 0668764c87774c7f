"""Names of runs, networks and metrics: what is legal, and what belongs to the monitor."""

import re
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from trainer_hooks import names
from trainer_hooks.errors import BadNameError

#: Names as the rule allows them, the awkward ones often.
legal = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="/")
    | st.sampled_from("%:*?[]{}\\ <>&\"'.|"),
    min_size=1,
    max_size=20,
).filter(lambda name: name not in (".", ".."))


@pytest.mark.parametrize("name", ["x" * 128, "a b", "%", "損失", "…", ".hidden", "a..b"])
def test_run_names_that_are_legal(name: str) -> None:
    assert names.check_run(name) == name


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "has 0 characters; allowed are 1 to 128"),
        ("x" * 129, "has 129 characters"),
        ("a/b", "must not"),
        (".", "must not"),
        ("..", "must not"),
        ("a\nb", "control character"),
        ("\x7f", "control character"),
        ("a\x80", "control character"),
        ("\x85b", "control character"),
        ("\x9f", "control character"),
        ("\ud800", "not valid Unicode"),
        (None, "must be a string, not NoneType"),
        (7, "must be a string, not int"),
    ],
)
def test_run_names_that_are_not(name: Any, said: str) -> None:
    with pytest.raises(BadNameError, match=re.escape(said)):
        names.check_run(name)


@given(legal)
def test_metrics_of_networks_stay_apart(name: str) -> None:
    assume(not name.endswith(names.EPOCH_SUFFIX))
    assert names.check_network(name) == name
    assert names.is_own_metric(f"S.{name}")
    assert not names.is_own_metric(f"scalar.S.{name}")


@pytest.mark.parametrize("name", ["S", "loss.G", "Quality", "D_x", "s.x", "QQ", "xQ", "Q\n"])
def test_names_that_belong_to_no_metric(name: str) -> None:
    assert not names.is_own_metric(name)
