"""The trial of the generated tests: its mutants are wrong in one place, and a sample of them is killed."""

from __future__ import annotations

import re
from collections import Counter

import promql_parser
import pytest

from llmslo_exporter import catalog
from llmslo_rulegen.groups import groups
from tests.rules import tokens
from tests.rules.examples import AVAILABILITY
from tests.rules.mutants import drawn, parses, trial, unchanged
from tests.rules.mutations import OPERATORS, mutants

LEAST_OPERATORS = 12
LEFT_OUT = r"label (slo|service)( of the record)? missing|matcher (slo|service) dropped|(\S+)total(\S+) -> \4bad\5"
COUNTED = {"number changed", "range changed", "set operator swapped", "matcher wrong"}
# Slips that a reviewer would not see, each killed by another case.
KILLED = (
    "comparison flipped",
    "severity swapped",
    "alert label missing or wrong",
    "rule missing",
)


def test_words_make_up_the_expression_again():
    for group in groups(AVAILABILITY):
        for rule in group.rules:
            assert tokens.joined(tokens.words(rule.expr)) == rule.expr


@pytest.mark.parametrize(
    ("text", "operator", "left", "right"),
    [
        ("a and b or c", "or", "a and b", "c"),
        ("a or b and c > 1", "or", "a", "b and c > 1"),
        ("(a or b) and c", "and", "(a or b)", "c"),
        ("a * (b - c) - d", "-", "a * (b - c)", "d"),
        ("x{a='or'} unless y", "unless", "x{a='or'}", "y"),
    ],
)
def test_sides_of_an_operator_end_where_it_binds_no_longer(text, operator, left, right):
    parts = tokens.words(text)
    index = max(at for at, word in enumerate(parts) if word.text == operator and word.depth == 0)
    assert tokens.joined(parts[tokens.left_start(parts, index) : index]).strip() == left
    assert tokens.joined(parts[index + 1 : tokens.right_end(parts, index)]).strip() == right


def test_each_mutant_differs_in_one_rule():
    sound = groups(AVAILABILITY)[0].rules
    for mutant in mutants(groups(AVAILABILITY)):
        spoilt = mutant.groups[0].rules
        if mutant.operator == "rule missing":
            assert len(spoilt) == len(sound) - 1
        else:
            assert sum(one != other for one, other in zip(sound, spoilt, strict=True)) == 1, mutant


def test_there_are_operators_enough_and_what_they_make_is_promql():
    found = list(drawn(AVAILABILITY, 2, 1, Counter()))
    assert len({mutant.operator for mutant in found}) >= LEAST_OPERATORS
    assert set(OPERATORS) >= {mutant.operator for mutant in found} - {"rule missing"}
    for mutant in found:
        assert parses(mutant)
        promql_parser.parse(mutant.groups[0].rules[0].expr)


def test_what_is_left_out_is_a_label_of_the_series_or_nought_or_guarded_by_its_own_events():
    sound = groups(AVAILABILITY)
    left_out = [mutant for mutant in mutants(sound) if unchanged(mutant, sound)]
    assert 0 < len(left_out) < 100
    for mutant in left_out:
        assert mutant.rule == catalog.FIRING or re.fullmatch(LEFT_OUT, mutant.done), mutant.done
    assert not any("tier" in mutant.done for mutant in left_out)
    assert not {mutant.operator for mutant in left_out} & COUNTED


def test_a_sample_is_killed(monkeypatch):
    chosen = {name: OPERATORS[name] for name in KILLED if name in OPERATORS}
    monkeypatch.setattr("tests.rules.mutants.OPERATORS", chosen)
    fates = list(trial("throughput, 1 d", 1, 3, Counter()))
    assert len(fates) == len(KILLED)
    assert [fate.mutant.done for fate in fates if not fate.killed] == []
