"""What is written: a file that renders and that its own baseline keeps, or a refusal."""

from __future__ import annotations

from html.parser import HTMLParser
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from llmslo_exporter import catalog
from llmslo_rulegen import api, reading, rendering
from llmslo_rulegen.baseline.baseline import Baseline
from llmslo_rulegen.baseline.cell import Kind
from llmslo_rulegen.derive import document, history, promise, proposal, reasons, report, review
from llmslo_rulegen.derive.promise import Promise, Refusal
from llmslo_rulegen.derive.proposal import Wish
from llmslo_rulegen.finding import Level
from llmslo_rulegen.observed import slis
from llmslo_rulegen.rendering import Options
from llmslo_rulegen.slo import CatalogSli
from tests.derive import baselines

SOURCES = tuple(source for source in catalog.BY_SOURCE if slis.names(source))
_VOID = {"meta"}


def _read(text):
    found = reading.read({"slo.yaml": text.encode()})
    assert [one for one in found.findings if one.level is Level.ERROR] == []
    return found.slos


# Not made smaller: a case takes a tenth of a second, and hypothesis tries thousands.
@settings(deadline=None, max_examples=40, phases=(Phase.explicit, Phase.generate))
@given(
    found=st.lists(
        st.tuples(baselines.kinds(SOURCES), st.integers(1, 60), st.integers(1, 30), st.sampled_from((0.0, 0.02, 0.7))),
        min_size=1,
        max_size=4,
    ),
    seed=st.integers(0, 1 << 20),
)
def test_any_baseline_gives_a_file_that_renders_or_a_refusal(found, seed):
    parts = [baselines.of_calls(kind, hours, rate, seed, bad) for kind, hours, rate, bad in found]
    proposed = proposal.proposals(Baseline.merged(parts), Wish())
    made = [one for one in proposed if isinstance(one.outcome, Promise)]
    assert all(one.outcome.why for one in proposed if isinstance(one.outcome, Refusal))
    text = document.text(proposed)
    page, words = report.html(proposed), report.markdown(proposed)
    _expect_sound(page)
    assert "<script" not in words
    if not made:
        assert text == ""
        return
    slos = _read(text)
    assert len(slos) == len(made)
    assert list(rendering.files(slos, Options("1", tests=False)))
    for one, slo in zip(made, slos, strict=True):
        assert (slo.name, slo.objective) == (one.name, one.outcome.objective)
        assert isinstance(slo.sli, CatalogSli)
        assert slo.sli.threshold == one.outcome.threshold
        _expect_kept(one.outcome)


def _expect_kept(made):
    """The baseline passes its own SLO, and the budget is no more than chance and the ladder ask for."""
    bad, total = (int(events.sum()) for events in made.kept.at(made.column))
    assert bad <= made.budget * total
    rungs = [promise.budget(rung) for rung in promise.LADDER]
    above = [rung for rung in rungs if rung >= made.estimate.future]
    assert made.budget == above[0]


def test_the_ladder_never_gives_away_more_than_two_and_a_half_times():
    rungs = [promise.budget(rung) for rung in promise.LADDER]
    assert all(1 < high / low <= 2.5 + 1e-9 for low, high in pairwise(rungs))


@pytest.mark.parametrize("count", [0, 1, promise.FEWEST_EVENTS - 1])
def test_too_few_events_are_refused_with_the_number_that_is_needed(count):
    total = np.zeros(48, np.int64)
    total[3] = count
    found = history.History(history.Span(0, 48), total, np.zeros((48, 1), np.int64))
    made = promise.promise(found, promise.usual(0.99))
    assert isinstance(made, Refusal)
    assert f"{promise.FEWEST_EVENTS} are needed" in made.why


def test_enough_events_without_a_bad_one_promise_ninety_percent():
    total = np.full(1, promise.FEWEST_EVENTS * 5, np.int64)
    made = promise.promise(history.History(history.Span(0, 1), total, np.zeros((1, 1), np.int64)), promise.usual(0.99))
    assert isinstance(made, Promise)
    assert made.objective >= 90
    assert made.provisional


def test_models_that_differ_have_promises_of_their_own_and_alike_ones_one():
    apart = [one for one in proposal.proposals(baselines.world("mixed models"), Wish()) if one.sli == "ttft"]
    alike = [one for one in proposal.proposals(baselines.world("mixed models, alike"), Wish()) if one.sli == "ttft"]
    assert {one.select for one in apart} == {(("model_name", ("m-small",)),), (("model_name", ("m-large",)),)}
    assert {one.outcome.threshold for one in apart} == {0.5, 2.5}
    assert [one.select for one in alike] == [()]


def test_what_no_label_tells_apart_is_said():
    short = Kind("vllm", "s", "chat", "p", "m", stream=True, prompt="1k")
    long = Kind("vllm", "s", "chat", "p", "m", stream=True, prompt="more")
    slow = baselines.of_calls(long, 48, 20, 1)
    slow = Baseline({at: _slower(cell) for at, cell in slow.cells.items()})
    found = proposal.proposals(Baseline.merged([baselines.of_calls(short, 48, 20, 2), slow]), Wish())
    latency = next(one for one in found if one.sli == "latency")
    assert "prompt more" in latency.untold[0]
    assert "no label of vllm tells them apart" in document.text(found).replace("\n  # derived: ", " ")


def _slower(cell):
    from dataclasses import replace  # noqa: PLC0415

    from llmslo_rulegen.baseline.sketch import Sketch  # noqa: PLC0415

    spreads = tuple((quantity, Sketch(tuple(at + 150 for at in one.at), one.counts)) for quantity, one in cell.spreads)
    return replace(cell, spreads=spreads)


def test_services_of_like_names_keep_documents_apart():
    kind = Kind("vllm", "a b", "chat", "p", "m", stream=False)
    other = Kind("vllm", "a-b", "chat", "p", "m", stream=False)
    parts = [baselines.of_calls(one, 10, 20, 1) for one in (kind, other)]
    slos = _read(document.text(proposal.proposals(Baseline.merged(parts), Wish())))
    assert {slo.service for slo in slos} == {"a-b", "a-b-2"}


def test_services_that_no_label_names_are_told_by_their_job():
    parts = [
        baselines.of_calls(Kind("vllm", name, "chat", "p", "m", stream=False), 10, 20, 1) for name in ("one", "two")
    ]
    alone = proposal.proposals(parts[0], Wish())
    both = proposal.proposals(Baseline.merged(parts), Wish())
    assert {one.select for one in alone} == {()}
    assert {one.select for one in both} == {(("job", ("one",)),), (("job", ("two",)),)}
    assert "job is taken" in document.text(both)
    found = tuple(review.reviews(_read(document.text(both)), Baseline.merged(parts)))
    assert {len(one.kinds) for one in found} == {1}


def test_a_step_is_told_with_its_time_and_only_what_came_after_is_promised():
    found = proposal.proposals(baselines.world("step"), Wish())
    ttft = next(one for one in found if one.sli == "ttft")
    assert isinstance(ttft.outcome, Promise)
    assert ttft.outcome.kept.span.hours <= 13 * 24
    text = document.text(found)
    assert "WARNING: the share of bad events changed from" in text
    assert "2024-11-06 00:00Z" in text


def test_a_step_just_now_is_refused():
    found = proposal.proposals(baselines.world("step, just now"), Wish())
    ttft = next(one for one in found if one.sli == "ttft")
    assert isinstance(ttft.outcome, Refusal)
    assert "rose from" in ttft.outcome.why


def test_hours_and_days_that_differ_are_told():
    text = document.text(proposal.proposals(baselines.world("daily cycle"), Wish()))
    assert "by hour of the day from" in text
    text = document.text(proposal.proposals(baselines.world("weekday cycle, slow weekends"), Wish()))
    assert "on Saturday" in text or "on Sunday" in text


def test_time_held_out_is_not_learnt_from():
    found = proposal.proposals(baselines.world("steady"), Wish(hold_out=0.25))
    for one in found:
        assert one.outcome.kept.span.hours == 21 * 24
        assert one.checked.hours == 7 * 24
        assert one.checked.holds
        assert "held in the 7 days held out" in reasons.checked(one)


def test_a_promise_that_breaks_in_the_time_held_out_is_told():
    found = proposal.proposals(baselines.world("step"), Wish(hold_out=0.25))
    ttft = next(one for one in found if one.sli == "ttft")
    assert "BROKEN" in reasons.checked(ttft)


def test_another_source_takes_its_own_edges_and_a_warning():
    found = proposal.proposals(baselines.world("steady"), Wish(cross_source="llmslo"))
    ttft = next(one for one in found if one.sli == "ttft")
    assert ttft.source == "llmslo"
    assert ttft.outcome.threshold in history.thresholds("ttft", "llmslo")
    assert "WARNING: measured by vllm, promised of llmslo" in document.text(found)
    assert ("workload", ("assistant",)) in ttft.select


def test_the_same_baseline_gives_the_same_files():
    one, two = (proposal.proposals(baselines.world("mixed models"), Wish()) for _ in range(2))
    assert document.text(one) == document.text(two)
    assert report.html(one) == report.html(two)
    assert report.markdown(one) == report.markdown(two)


def test_what_is_rendered_passes_promtool():
    slos = _read(document.text(proposal.proposals(baselines.world("mixed models"), Wish())))
    assert [one for one in api.check(slos) if one.level is Level.ERROR] == []


class _Page(HTMLParser):
    """Notes what a page asks for, and whether every element is closed."""

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.links = [], set(), []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.links += [value for name, value in attrs if name in {"src", "href", "action", "data"}]
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):  # noqa: ARG002 -- as the parser calls it
        self.tags.add(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def _expect_sound(page):
    found = _Page()
    found.feed(page)
    found.close()
    assert found.open == []
    assert found.tags.isdisjoint({"script", "iframe", "object", "img", "link"})
    assert all(link.startswith("#") for link in found.links)
    assert "@import" not in page
    assert "url(" not in page
