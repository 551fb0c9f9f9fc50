"""The elements of a JSON array in pieces."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmslo_exporter import json_array
from llmslo_exporter.json_array import JsonArray

ELEMENTS = [{"a": {"b": [1, {}]}}, {"t": 'quoted "}{" \\'}, {}, {"u": "é\u2028"}]
DATA = b" \r\n[" + b"\n,\r\n".join(json.dumps(element, ensure_ascii=False).encode() for element in ELEMENTS) + b"]\n"


@pytest.mark.parametrize("cut", range(len(DATA) + 1))
def test_elements_do_not_depend_on_read_sizes(cut):
    array = JsonArray()
    found = array.feed(DATA[:cut]) + array.feed(DATA[cut:])
    assert [json.loads(element) for element in found] == ELEMENTS
    assert array.rest() == b""


def test_elements_byte_by_byte():
    array = JsonArray()
    found = [element for at in range(len(DATA)) for element in array.feed(DATA[at : at + 1])]
    assert [json.loads(element) for element in found] == ELEMENTS


def test_what_is_no_array_has_no_elements():
    array = JsonArray()
    assert array.feed(b'{"a":1}') == array.feed(b'[{"b":1}]') == []


def test_the_element_under_way_is_kept():
    array = JsonArray()
    assert array.feed(b'[{"a":1},{"b":') == [b'{"a":1}']
    assert array.rest() == b'{"b":'


def test_an_element_over_the_bound_is_dropped_and_counted(monkeypatch):
    monkeypatch.setattr(json_array, "MAX_ELEMENT_BYTES", 20)
    array = JsonArray()
    assert array.feed(b'[{"a":"' + b"x" * 30) == []
    assert array.feed(b'"},{"b":1}]') == [b'{"b":1}']
    assert array.dropped_elements == 1


@given(st.lists(st.binary(max_size=8)))
def test_foreign_bytes_never_raise(parts):
    array = JsonArray()
    for part in (b"[", *parts):
        array.feed(part)
    array.rest()
