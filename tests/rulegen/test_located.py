from __future__ import annotations

import re
from decimal import Decimal

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from llmslo_rulegen import located
from llmslo_rulegen.errors import InputError


def one(raw):
    (document,) = located.read(raw, "slo.yaml")
    return document


def refusal(raw):
    with pytest.raises(InputError) as caught:
        located.read(raw, "slo.yaml")
    (finding,) = caught.value.findings
    return str(finding)


def test_values_are_those_of_the_core_schema_and_numbers_are_exact():
    text = b"a: 1\nb: 99.9\nc: true\nd: ~\ne: yes\nf: 1:30\ng: 2026-11-22\nh: '5'\ni: 0x10\nj: .inf\nk: 010"
    assert one(text).value == {
        "a": 1,
        "b": Decimal("99.9"),
        "c": True,
        "d": None,
        "e": "yes",
        "f": "1:30",
        "g": "2026-11-22",
        "h": "5",
        "i": "0x10",
        "j": Decimal("Infinity"),
        "k": 10,
    }


def test_each_member_knows_its_line_also_of_a_flow_and_of_an_alias():
    document = one(b"a: &x\n  b: 1\nc: [2,\n  {d: 3}]\ne: *x\nf:\n  <<: *x\n  g: 4\n")
    assert document.line_of(("a", "b")) == 2
    assert document.line_of(("c", 1, "d")) == 4
    assert document.line_of(("e",)) == 5
    assert document.line_of(("e", "b")) == 2
    assert document.line_of(("f", "b")) == 2
    assert document.line_of(("f", "g")) == 8


def test_a_path_that_leads_nowhere_gives_the_nearest_line():
    document = one(b"a:\n  - b: 1\n")
    assert document.line_of(("a", 0, "missing")) == 2
    assert document.line_of(("a", 7)) == 1
    assert document.line_of(("missing", 3)) == 1


def test_empty_documents_are_left_out_and_others_know_where_they_begin():
    found = located.read(b"\xef\xbb\xbf# nothing\n---\n---\na: 1\n...\n---\nb: 2\n", "slo.yaml")
    assert [(document.line, document.value) for document in found] == [(4, {"a": 1}), (7, {"b": 2})]


def test_merging_keeps_what_is_written_and_the_first_of_several():
    document = one(b"x: &x {a: 1, b: 1}\ny: &y {b: 2, c: 2}\nz: {b: 3, <<: [*y, *x]}\nw: {<<: [*y, *x]}\n")
    assert document.value["z"] == {"a": 1, "b": 3, "c": 2}
    assert document.value["w"] == {"a": 1, "b": 2, "c": 2}


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"a: 1\nb: 2\na: 3\n", "slo.yaml:3: error: `a` stands twice, first in line 1: keep one (spec/yaml)"),
        (b"a: [", "slo.yaml:2: error: this is not YAML: did not find expected node content"),
        (b"a:\n\tb: 1\n", "slo.yaml:2: error: this is not YAML: found character that cannot start any token"),
        (b"a\n\xff", "slo.yaml:2: error: byte 0xff is not UTF-8: save the file as UTF-8"),
        (b"a\nb: \x01", "slo.yaml:2: error: the character U+0001 is not allowed in YAML: take it out"),
        (b"a: *b", "slo.yaml:1: error: `*b` has no anchor: write `&b` before it"),
        (b"a: &a [*a]", "slo.yaml:1: error: `*a` stands within itself: write it out"),
        (b"a: !!python/object/apply:os.system [x]", "the tag !!python/object/apply:os.system means nothing here"),
        (b"a: !!float 5", "the tag !!float means nothing here"),
        (b"5: a", "slo.yaml:1: error: the key 5 is no text"),
        (b"? {a: b}\n: c", "slo.yaml:1: error: the key {...} is no text"),
        (b"a: {<<: 5}", "`<<` takes in mappings only"),
        (b"a: " + b"[" * 33, "nested deeper than 32 levels: a spec needs 6"),
    ],
)
def test_what_is_refused_is_said_with_its_line(raw, message):
    assert message in refusal(raw)


@pytest.mark.parametrize("nesting", [b"[", b"- ", b"{a: "])
def test_deep_nesting_neither_crashes_nor_takes_long(nesting):
    assert "nested deeper" in refusal(nesting * 100_000)


def test_an_alias_bomb_is_counted_as_what_it_stands_for():
    lines = [b"a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [b"a%d: &a%d [%s]" % (n, n, b", ".join([b"*a%d" % (n - 1)] * 10)) for n in range(1, 10)]
    assert "more than 500000 values, aliases written out" in refusal(b"\n".join(lines))


def test_a_huge_file_and_a_huge_number_are_bounded():
    assert "at most 8388608 are read: split it" in refusal(b"#" * (located.MAX_BYTES + 1))
    assert one(b"a: " + b"9" * 5_000).value == {"a": "9" * 5_000}


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200) | st.text(alphabet="ab:-[]{}&*!|>'\"#%@`,? \n\t0.~<", max_size=80).map(str.encode))
def test_any_bytes_give_documents_or_one_finding(raw):
    found, findings = (), ()
    try:
        found = located.read(raw, "slo.yaml")
    except InputError as error:
        findings = error.findings
    assert len(findings) <= 1
    assert all(document.line >= 1 for document in found)


# Without line ends that PyYAML writes as they are and reads as blanks.
# What is a number in YAML's core schema and text to PyYAML (YAML 1.1) is written without quotes by it.
CORE_NUMBER = re.compile(r"[-+]?[0-9.]+[eE][-+]?[0-9]+")
texts = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\x85\u2028\u2029"), max_size=20).filter(
    lambda text: not CORE_NUMBER.fullmatch(text)
)


@settings(max_examples=100, deadline=None)
@given(
    st.recursive(
        st.booleans() | st.none() | st.integers(-(10**12), 10**12) | texts,
        lambda inner: (
            st.lists(inner, max_size=4) | st.dictionaries(texts.filter(lambda key: key != "<<"), inner, max_size=4)
        ),
        max_leaves=20,
    ).filter(lambda value: value is not None)
)
def test_what_pyyaml_writes_is_read_back(value):
    assert one(yaml.safe_dump(value, allow_unicode=True).encode()).value == value
