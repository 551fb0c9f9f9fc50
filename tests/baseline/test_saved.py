import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmslo_rulegen.baseline import saved, saved_file
from llmslo_rulegen.baseline.baseline import Baseline
from llmslo_rulegen.baseline.gathering import MAX_KINDS, OTHERS, Gathering
from llmslo_rulegen.baseline.survey import of_calls
from llmslo_rulegen.traces.call import Call

HOUR_NS = 3600 * 10**9
WORDS = st.sampled_from(["", "gpt-4o", 'a"b', "ü\n\u2028", "x" * 200])


@st.composite
def calls(draw):
    error = draw(st.sampled_from(["", "", "timeout", "rate_limited"]))
    seconds = st.floats(0, 1000)
    return Call(
        *(draw(WORDS) for _ in range(5)),
        stream=draw(st.booleans()),
        start_ns=draw(st.integers(0, 3)) * HOUR_NS + 7,
        duration_s=draw(seconds),
        error=error,
        ttft_s=draw(st.none() | seconds),
        tpot_s=None if error else draw(st.none() | seconds),
        input_tokens=draw(st.none() | st.integers(0, 10**6)),
        output_tokens=draw(st.none() | st.integers(0, 10**6)),
        finish=draw(st.sampled_from(["", "stop"])),
    )


@given(st.lists(calls(), max_size=30), st.integers(0, 30))
@settings(deadline=None)
def test_a_baseline_is_read_as_it_was_saved_and_adds_up(found, cut):
    whole = of_calls(found).baseline
    text = list(saved.lines(whole))
    assert saved.read(text) == whole
    halves = [saved.read(saved.lines(of_calls(part).baseline)) for part in (found[cut:], found[:cut])]
    assert list(saved.lines(Baseline.merged(halves))) == text
    assert whole.count == len(found)


def lines(**changed):
    (call,) = (Call(*"ababa", stream=True, start_ns=HOUR_NS, duration_s=1.0),)
    head, line = saved.lines(of_calls([call]).baseline)
    return [head, json.dumps({**json.loads(line), **changed}).encode()]


@pytest.mark.parametrize(
    ("found", "text"),
    [
        ([], "it is empty"),
        ([b"{}"], "line 1: Object missing required field"),
        ([b'{"format":"llmslo-baseline/v9","edges":1}'], "line 1: format 'llmslo-baseline/v9' is not"),
        ([b'{"format":"llmslo-baseline/v1","edges":1}'], "line 1: its buckets have 1 edges, this version's"),
        (lines(hour="x"), "line 2: Expected `int`"),
        (lines(other=1), "line 2: Object contains unknown field"),
        (lines(outcomes={"ok": 0}), "line 2: 0 is no count"),
        (lines(outcomes={"ok": -1}), "line 2: -1 is no count"),
        (lines(spreads={"duration_seconds": [[1, 1], [1, 1]]}), "line 2: duration_seconds: buckets must be in order"),
        (lines(spreads={"duration_seconds": [[10**6], [1]]}), "line 2: duration_seconds: buckets must be in order"),
        (lines(spreads={"duration_seconds": [[1], [1, 2]]}), "line 2: duration_seconds: buckets must be in order"),
        (lines(spreads={"size": [[1], [1]]}), "line 2: 'size' is no quantity"),
        ([*lines()[:1], b"oops"], "line 2: JSON is malformed"),
    ],
)
def test_a_line_that_is_wrong_is_told(found, text):
    with pytest.raises(saved.SavedError) as caught:
        saved.read(found)
    assert text in str(caught.value)


def test_strangers_do_not_fill_the_memory_with_names():
    gathering = Gathering()
    for number in range(MAX_KINDS + 500):
        gathering.add(Call("s", "x", "chat", "p", f"model-{number}", stream=False, start_ns=5, duration_s=1.0))
    gathering.add(Call("s", "x", "chat", "p", "model-7", stream=False, start_ns=HOUR_NS, duration_s=1.0))
    kinds = dict(gathering.baseline().kinds())
    assert len(kinds) == MAX_KINDS + 1
    other = next(cells for kind, cells in kinds.items() if kind.model == OTHERS)
    assert other[0].count == 500
    assert gathering.baseline().count == MAX_KINDS + 501


def test_names_of_any_length_are_held_in_few_bytes():
    gathering = Gathering()
    for number in range(9):
        gathering.add(Call("s", "x" * 10**6, "chat", "p", f"{number}" * 300, stream=False, start_ns=5, duration_s=1.0))
    ((kind, cells),) = gathering.baseline().kinds()
    assert (kind.service, kind.operation, kind.model, cells[0].count) == (OTHERS, "chat", OTHERS, 9)


def test_a_baseline_is_written_whole_or_not_at_all(tmp_path):
    baseline = of_calls([Call(*"ababa", stream=True, start_ns=HOUR_NS, duration_s=1.0)]).baseline
    path = tmp_path / "a.baseline"
    saved_file.write(path, baseline)
    first = path.read_bytes()
    assert saved_file.is_saved(path)
    assert saved_file.read(path) == baseline
    (tmp_path / "folder").mkdir()
    with pytest.raises(Exception, match="it is no file"):
        saved_file.write(tmp_path / "folder", baseline)
    saved_file.write(path, baseline)
    assert path.read_bytes() == first
    assert sorted(found.name for found in tmp_path.iterdir()) == ["a.baseline", "folder"]
    assert not saved_file.is_saved(tmp_path / "none")
    assert not saved_file.is_saved(tmp_path / "folder")
