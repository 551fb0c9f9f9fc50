"""Label values for and against a matcher."""

from __future__ import annotations

import re

import pytest

from llmslo_rulegen import samples
from llmslo_rulegen.slo import Matcher, Op


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("5..", {"500"}),
        ("ok|timeout|_other", {"ok", "timeout", "_other"}),
        ("gpt-4o.*", {"gpt-4o", "gpt-4o0"}),
        ("prod-(eu|us)[0-9]{2}", {"prod-eu00", "prod-us00"}),
        (r"azure\.ai\.openai|openai", {"azure.ai.openai", "openai"}),
        (r"2(\.0)?", {"2", "2.0"}),
        ("", {""}),
        ("[^5].+", {"a0"}),
    ],
)
def test_each_alternative_of_a_pattern_has_a_value(pattern, expected):
    assert set(samples.strings(pattern)) == expected


@pytest.mark.parametrize("pattern", ["(", "[a", "a{2", "(?i)", "\\", "(?P<x", "a||b", "*a", "(a|b)*c+d?"])
def test_odd_patterns_give_only_what_matches(pattern):
    for value in samples.strings(pattern):
        assert re.fullmatch(pattern, value)


def test_a_matcher_takes_and_refuses_as_prometheus_does():
    wanted = [Matcher("code", Op.MATCH, "5..|429"), Matcher("code", Op.NOT_EQUAL, "500")]
    assert samples.accepted(wanted) == ("429",)
    assert set(samples.refused(wanted)) >= {"500", ""}


def test_an_absent_label_is_an_empty_one():
    assert samples.matches(Matcher("error", Op.EQUAL, ""), "")
    assert samples.matches(Matcher("error", Op.NO_MATCH, "5.."), "")
    assert not samples.matches(Matcher("error", Op.MATCH, "5.."), "1500"), "regexes are anchored"
