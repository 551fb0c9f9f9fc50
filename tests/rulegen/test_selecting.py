from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmslo_rulegen import selecting
from llmslo_rulegen.errors import ExpressionError
from llmslo_rulegen.slo import Matcher, Op


@pytest.mark.parametrize(
    ("choices", "op", "value"),
    [
        (("prod",), Op.EQUAL, "prod"),
        (("a.b",), Op.EQUAL, "a.b"),
        (("",), Op.EQUAL, ""),
        (("~gpt-4o.*",), Op.MATCH, "gpt-4o.*"),
        (("openai", "azure.ai.openai"), Op.MATCH, r"openai|azure\.ai\.openai"),
        (("~a|b", "c", "~d.*"), Op.MATCH, "(?:a|b)|c|d.*"),
        (("a b-c", "~(?i)x"), Op.MATCH, "a b-c|(?:(?i)x)"),
    ],
)
def test_choices_become_one_matcher(choices, op, value):
    assert selecting.matcher("model", choices) == Matcher("model", op, value)


@given(st.lists(st.text(max_size=8).filter(lambda text: not text.startswith("~")), min_size=2, max_size=4, unique=True))
def test_a_list_of_texts_matches_these_and_nothing_else(choices):
    pattern = re.compile(selecting.matcher("a", tuple(choices)).value, re.DOTALL)
    assert all(pattern.fullmatch(choice) for choice in choices)
    assert not pattern.fullmatch("".join(choices) + "x")


def test_a_wrong_pattern_in_a_list_is_found():
    with pytest.raises(ExpressionError, match="no regular expression of RE2"):
        selecting.matcher("model", ("a", "~("))
