"""The parsers' content predicate and the kernel's automaton read the same events alike."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from llmslo_exporter import actions, automaton
from llmslo_exporter.dialects import WIRES
from llmslo_exporter.dialects.openai import OPENAI, OPENAI_WIRE
from llmslo_exporter.sse import SseEvents
from llmslo_exporter.summary import FinishReason
from llmslo_exporter.wire import Content
from tests.exporter import kernel_model

FIXTURES = Path(__file__).parent / "fixtures" / "openai"
TABLE = automaton.compile_wires(WIRES)


def kernel_events(data):
    """Return per event what the automaton raised: content, error, terminal, finish reasons."""
    row, seen, codes, found = TABLE.start_stream, 0, [], []
    for byte in data:
        row, action = TABLE.step(row, byte)
        seen |= action
        if action & actions.FINISH:
            codes.append(action >> actions.NUMBER_SHIFT & 7)
        if action & actions.EVENT:
            content = Content.OUTPUT if seen & actions.OUTPUT else Content.REASONING
            content = content if seen & (actions.OUTPUT | actions.REASONING) else Content.NONE
            found.append((content, bool(seen & actions.ERROR), bool(seen & actions.TERMINAL), sorted(codes)))
            seen, codes = 0, []
    return found


def parser_events(data):
    events = [OPENAI.event(event) for event in SseEvents().feed(data)]
    return [(e.content, e.error is not None, e.terminal, sorted(map(int, e.finishes.values()))) for e in events]


NOTHING = (Content.NONE, False, False, [])


@pytest.mark.parametrize("path", sorted(FIXTURES.glob("*.sse")), ids=lambda path: path.stem)
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
def test_recorded_shapes_are_read_alike(path, line_end):
    data = path.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", line_end) + b":"
    kernel = [event for event in kernel_events(data) if event != NOTHING]
    assert kernel == [event for event in parser_events(data) if event != NOTHING]


@pytest.mark.parametrize("path", sorted(FIXTURES.glob("*.sse")), ids=lambda path: path.stem)
def test_the_kernel_counts_what_the_parsers_read(path):
    data = path.read_bytes()
    tally = kernel_model.Tally(TABLE.start_stream)
    kernel_model.read_stream(TABLE, tally, data, actions.EVENT)
    events = [OPENAI.event(event) for event in SseEvents().feed(data)]
    content = [event.content for event in events if event.content is not Content.NONE]
    assert (tally.content, tally.output) == (len(content), content.count(Content.OUTPUT))
    reasons = [reason for event in events for reason in event.finishes.values()]
    assert [tally.finish(reason) for reason in FinishReason] == [reasons.count(reason) for reason in FinishReason]
    choices = frozenset[int]().union(*(event.choices for event in events))
    assert tally.choices == sum(1 << index for index in choices)
    assert bool(tally.seen & actions.TERMINAL) == any(event.terminal for event in events)
    assert bool(tally.seen & actions.ERROR) == any(event.error is not None for event in events)


KEYS = [
    *OPENAI_WIRE.output,
    *OPENAI_WIRE.reasoning,
    *(key for scope in OPENAI_WIRE.scopes for key in (scope.key, *scope.output, *scope.reasoning)),
    "delta",
    "x",
    "",
    'a"b',
    "\\",
]
# Brackets of one kind nest at most three deep in a scope: the automaton has no more states for it (SCOPE_DEPTH).
TEXTS = ["", "x", '"', "\\", "{", "]}", '"content":"x"', "é"]
SCALARS = st.none() | st.booleans() | st.integers() | st.sampled_from(TEXTS)
INNER = st.dictionaries(st.sampled_from(KEYS), SCALARS, max_size=4)
VALUES = SCALARS | INNER | st.lists(SCALARS | INNER, max_size=2)


@given(value=st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=5), spaced=..., ascii_only=...)
@example(
    value={"tool_calls": [{"index": 0, "function": {"name": "", "arguments": "{"}}]}, spaced=False, ascii_only=False
)
@example(value={"annotations": [{"url_citation": {"content": "x"}}], "content": "y"}, spaced=True, ascii_only=False)
def test_the_content_predicate_is_the_automatons(value, *, spaced: bool, ascii_only: bool):
    separators = (", ", ": ") if spaced else (",", ":")
    event = {"choices": [{"delta": value}]}
    text = json.dumps(event, separators=separators, ensure_ascii=ascii_only)
    data = f"data: {text}\n\n".encode()
    assert kernel_events(data) == parser_events(data)
