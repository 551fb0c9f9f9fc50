from __future__ import annotations

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from llmslo_rulegen import yaml_text
from llmslo_rulegen.rule import AlertRule, Group, RecordingRule

LOADERS = [yaml.SafeLoader, getattr(yaml, "CSafeLoader", yaml.SafeLoader)]
TRICKY = "a b\n'\"\\:#-|>{}[]&*!%@`,?0.x\t\x85\u2028\ufeff~=<"
texts = st.text() | st.text(alphabet=TRICKY)
leaves = texts | st.integers() | st.floats(allow_nan=False) | st.booleans() | st.none()
data = st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(texts, inner))


def read_by_both(text):
    first, second = (yaml.load(text, Loader=loader) for loader in LOADERS)  # noqa: S506 -- safe loaders
    assert first == second
    return first


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(texts, data, min_size=1) | st.lists(data, min_size=1))
def test_what_is_dumped_reads_back_equal(value):
    assert read_by_both(yaml_text.dump(value)) == value


WORDS = ["yes", "No", "ON", "y", "null", "~", "", "1h", "1e3", "0x1F", "12:30:45", "2026-11-22", "1_000", ".inf", "-"]


@pytest.mark.parametrize(
    "word", [*WORDS, "a: b", "a #b", "- a", "{{ $value }}", "%", "@a", "`a`", "*a", "&a", "!a", "=", "<<"]
)
def test_text_stays_text(word):
    assert read_by_both(yaml_text.dump({word: word})) == {word: word}


expressions = st.lists(
    st.sampled_from(["sum(a)", "or", "-", ">=", "0", " ", '"a  or b"', "\t", "#", ":", "'"]), min_size=15
)


@settings(max_examples=200, deadline=None)
@given(expressions.map(" ".join))
def test_a_folded_line_is_the_same_line(text):
    (group,) = read_by_both(yaml_text.rules([Group("a", (RecordingRule("b", text),))]))["groups"]
    assert group["rules"] == [{"record": "b", "expr": text}]


labels = st.dictionaries(texts, texts, max_size=3).map(lambda found: tuple(sorted(found.items())))


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.builds(RecordingRule, texts, texts, labels)
        | st.builds(AlertRule, texts, texts, labels, labels, st.integers(0, 10**6), st.integers(0, 10**6)),
        min_size=1,
        max_size=3,
    ),
    texts,
    st.none() | st.integers(1, 10**6),
)
def test_a_rule_file_holds_exactly_its_rules(rules, name, interval_s):
    (group,) = read_by_both(yaml_text.rules([Group(name, tuple(rules), interval_s)]))["groups"]
    assert group["name"] == name
    assert ("interval" in group) == (interval_s is not None)
    for rule, read in zip(rules, group["rules"], strict=True):
        assert read["expr"] == rule.expr
        assert read.get("labels", {}) == dict(rule.labels)
        if isinstance(rule, AlertRule):
            assert (read["alert"], read.get("annotations", {})) == (rule.alert, dict(rule.annotations))
            assert ("for" in read, "keep_firing_for" in read) == (rule.for_s > 0, rule.keep_firing_s > 0)
        else:
            assert read["record"] == rule.record


def test_a_rule_file_is_made_to_be_reviewed():
    rule = AlertRule("Slow", "a\n/\nb > 1", (("severity", "page"),), (("summary", "it is slow: {{ $value }}"),), 60)
    group = Group("chat", (RecordingRule("chat:a", "sum(a)", (("long_window", "1h"),)), rule), 90)
    assert (
        yaml_text.rules([group])
        == """\
groups:
  - name: chat
    interval: 1m30s
    rules:
      - record: chat:a
        expr: 'sum(a)'
        labels:
          long_window: '1h'
      - alert: Slow
        expr: |-
          a
          /
          b > 1
        for: 1m
        labels:
          severity: page
        annotations:
          summary: 'it is slow: {{ $value }}'
"""
    )


def test_a_long_expression_is_folded_before_its_operators():
    first, second = "sum(rate(the_first_metric_of_all[5m]))", "or sum(rate(the_second_metric_of_all[5m])) > 1"
    assert yaml_text.expression(f"{first} {second} / (sum(a[5m]) and b)", "  ").split("\n") == [
        ">-",
        "  sum(rate(the_first_metric_of_all[5m]))",
        "  or sum(rate(the_second_metric_of_all[5m])) > 1",
        "  / (sum(a[5m])",
        "  and b)",
    ]


def test_what_has_no_form_in_yaml_is_refused():
    with pytest.raises(TypeError, match="set has no form in YAML"):
        yaml_text.dump({"a": {1}})
