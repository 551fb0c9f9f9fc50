"""Input series: promtool's shorthand says what the flow says."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest

from llmslo_rulegen import inputs
from llmslo_rulegen.inputs import Copy
from llmslo_rulegen.kinds import Kind, Kinds, Series
from llmslo_rulegen.scenarios import Run, events

GOOD, BAD = Series("requests", (("code", "200"),)), Series("requests", (("code", "500"),))
KINDS = Kinds((Kind(((GOOD, 1.0),)),), (Kind(((BAD, 1.0),)),), ())


def samples(values: str) -> list[float | None]:
    """The samples of promtool's shorthand: None where there is none."""
    found: list[float | None] = []
    for token in values.split():
        if match := re.fullmatch(r"(.+?)\+(.+?)x(\d+)", token):
            found += [float(match[1]) + step * float(match[2]) for step in range(int(match[3]) + 1)]
        elif token.startswith("_"):
            found += [None] * int(token[2:] or 1)
        else:
            found.append(None if token == "stale" else float(token))
    return found


def increase(seen: list[float | None]) -> float:
    """What a counter counted, resets included."""
    present = [value for value in seen if value is not None]
    return sum(b - a if b >= a else b for a, b in pairwise(present))


FLOW = (Run(3, 100, 20), Run(2), Run(4, 9, 9, reset=True), Run(5, 7))


def test_the_series_hold_the_events():
    made = inputs.series(KINDS, FLOW)
    bad, good = (samples(made[f'requests{{code="{code}"}}']) for code in (500, 200))
    assert len(bad) == len(good) == 15
    whole = events(FLOW, 14, 14)
    assert (increase(bad), increase(good) + increase(bad)) == (whole.bad, whole.total)


def test_a_late_series_comes_with_the_first_bad_event_and_never_without():
    flow = (Run(3, 10), Run(2, 10, 4))
    late = inputs.series(KINDS, flow, late=KINDS.bad)
    assert samples(late['requests{code="500"}']) == [None, None, None, None, 4, 8]
    assert 'requests{code="500"}' not in inputs.series(KINDS, (Run(3, 10),), late=KINDS.bad)


def test_copies_share_the_events_and_write_edges_as_both_versions_do():
    bucket = Series("rpc_bucket", (("le", "2"),))
    kinds = Kinds((Kind(((bucket, 1.0),)),), KINDS.bad, ())
    made = inputs.series(kinds, (Run(2, 6),), (Copy((("i", "a"),), 2), Copy((("i", "b"),), 2, dotted=True)))
    assert made['rpc_bucket{i="a",le="2"}'] == made['rpc_bucket{i="b",le="2.0"}'] == "0 3+3x1"


def test_decoys_add_up_on_a_shared_series():
    decoy = Series("requests", (("code", "200"), ("job", "y")))
    kinds = Kinds(KINDS.good, KINDS.bad, (Kind(((decoy, 1.0),)), Kind(((decoy, 1.0),))))
    made = inputs.series(kinds, (Run(2, 5),))
    assert samples(made['requests{code="200",job="y"}'])[-1] == 2 * 2 * inputs.DECOY_EVENTS


def test_what_is_gone_is_stale_at_once():
    flow = (Run(2, 1), Run(3, gone=True))
    assert samples(inputs.series(KINDS, flow)['requests{code="200"}']) == [0, 1, 2, None, None, None]
    assert "stale" in inputs.constant("up", (), flow)[1]
    assert samples(inputs.absent_only("up", (), flow)[1]) == [1, 1, 1, 0, 0, 0]


@pytest.mark.parametrize("value", ['a"b', "a\\b", "a\nb"])
def test_label_values_are_escaped(value):
    assert "\n" not in inputs.quoted(value)
    assert inputs.quoted(value).count('"') - inputs.quoted(value).count('\\"') == 2
