"""JSON of which only the beginning or the end is there."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmslo_exporter.fragments import members_from_start, members_to_end, parse_json

FOOL = 'say "model":"fool" and {"model":"fool","stream":false} \\" \\\\'
BODY = json.dumps(
    {
        "model": "gpt-\u00e9",
        "messages": [{"role": "user", "content": FOOL, "model": "inner"}],
        "n": 12,
        "stream": True,
        "tools": [{"function": {"model": "fool"}}],
        "user": FOOL,
    }
).encode()
LAST = json.dumps({"messages": [{"content": FOOL}], "tools": [[{"model": "x"}]], "n": 12, "model": "m", "stream": True})
TAIL = LAST.encode()
KEYS = {"model", "stream", "n"}


def outer(members):
    return {member.key: member.value for member in members if member.depth == 1 and member.raw is not None}


@pytest.mark.parametrize("cut", range(len(BODY) + 1))
def test_a_head_never_tells_a_wrong_value(cut):
    found = outer(members_from_start(BODY[:cut], KEYS))
    assert found.items() <= {"model": "gpt-\u00e9", "n": 12, "stream": True}.items()
    assert ("model" in found) == (cut >= len(b'{"model": "gpt-\\u00e9"'))


@pytest.mark.parametrize("cut", range(len(TAIL)))
def test_a_tail_never_tells_a_wrong_value(cut):
    found = outer(members_to_end(TAIL[cut:] + b"\n", KEYS))
    assert found.items() <= {"model": "m", "n": 12, "stream": True}.items()
    assert ("model" in found) == (cut < TAIL.index(b'"model": "m"'))


@pytest.mark.parametrize("cut", range(len(BODY)))
def test_a_tail_that_holds_json_in_strings_is_not_fooled(cut):
    found = outer(members_to_end(BODY[cut:], KEYS))
    assert found.items() <= {"model": "gpt-\u00e9", "n": 12, "stream": True}.items()


def test_a_tail_that_ends_inside_something_says_nothing():
    assert members_to_end(TAIL[:-3], KEYS) == ()
    assert members_to_end(b"", KEYS) == ()


def test_values_cut_off_are_known_by_key_only():
    (member,) = members_from_start(b'{"model": "gp', KEYS)
    assert (member.key, member.raw, member.value) == ("model", None, None)
    (member,) = members_from_start(b'{"n": 1', KEYS)
    assert member.raw is None
    (member,) = members_from_start(b'{"n":', KEYS)
    assert member.raw is None


def test_objects_are_values_and_depth_is_counted_from_the_outermost():
    tail = b'xt"}],"x_groq":{"id":"r","usage":{"a":[1,{"b":2}]}}}'
    assert [(m.depth, m.value) for m in members_to_end(tail, {"usage"})] == [(2, {"a": [1, {"b": 2}]})]


def test_deep_nesting_and_huge_numbers_are_no_json():
    assert parse_json(b"[" * 100_000) is None
    assert parse_json(b"1" * 10_000) is None
    assert parse_json(b'{"a":"\xff\xf0"}') == {"a": "\ufffd\ufffd"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(alphabet='ab"\\{}[]:,model\n\u00e9'),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["model", "a", 'b"', "\\"]), inner),
)


@given(st.dictionaries(st.sampled_from(["model", "x", '"', "model\\"]), JSON), st.booleans(), st.data())
def test_any_cut_of_any_json_tells_the_truth(value, ascii_only, data):
    text = json.dumps(value, ensure_ascii=ascii_only).encode()
    cut = data.draw(st.integers(0, len(text)))
    for members in (members_from_start(text[:cut], KEYS), members_to_end(text[cut:], KEYS)):
        found = outer(members)
        assert found.items() <= {"model": value.get("model", 0)}.items() if found else True


@given(st.binary(max_size=400) | st.text(alphabet='{}[]",:\\a1').map(str.encode))
def test_foreign_bytes_never_raise(data):
    members_from_start(data, KEYS | {"a"})
    members_to_end(data, KEYS | {"a"})
    members_to_end(data + b"}", KEYS | {"a"})
    parse_json(data)
