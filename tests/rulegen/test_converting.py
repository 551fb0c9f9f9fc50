"""What is written in another format is read again: it is equal, or each difference was listed."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmslo_exporter import catalog
from llmslo_rulegen import converting, measures, reading
from llmslo_rulegen.alerts import tiers_of
from llmslo_rulegen.slo import (
    Alerting,
    Calendar,
    CatalogSli,
    EventFunction,
    EventsSli,
    HistogramSli,
    LowTraffic,
    Matcher,
    Notice,
    Op,
    Place,
    SlicedSli,
    Slo,
    Window,
)
from llmslo_rulegen.target import CONVERSIONS
from llmslo_rulegen.tier import Severity, Tier
from tests.rules.examples import EXAMPLES, own, slo

DAY_S = 86_400
# Keys that a format may hold in other words; everything else has to be equal or lost.
IN_OTHER_WORDS = {
    "sloth": {"sli", "group_by", "alerting.annotations", "runbook_url", "dashboard_url"},
    "openslo": {
        *("sli", "labels", "alerting.labels", "alerting.annotations", "runbook_url", "dashboard_url", "alerting"),
        *("alerting.tiers", "alerting.page", "alerting.ticket", "alerting.page.disable", "alerting.ticket.disable"),
    },
    "pyrra": {"sli", "labels", "alerting.labels", "alerting.annotations", "runbook_url", "dashboard_url"},
}

# No word of PromQL begins so, and no label that an SLO fixes or groups by.
words = st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=5).map("x".__add__)
values = st.text(st.sampled_from('aB1 _-."#:ü' + chr(92)), min_size=1, max_size=8)
labels = st.dictionaries(words.filter(lambda word: word not in catalog.RESERVED_LABELS), values, max_size=2).map(
    lambda found: tuple(sorted(found.items()))
)
selectors = st.builds(
    lambda name, more: f"{name}_total{{{', '.join(more)}}}" if more else f"{name}_total",
    words,
    st.lists(st.sampled_from(('job="a"', 'code=~"5..|429"', 'path!="/a\\"b"')), max_size=2, unique=True),
)


@st.composite
def own_events(draw):
    function = draw(st.sampled_from((EventFunction.RATE, EventFunction.INCREASE)))
    part, total = (f"sum({function.value}({draw(selectors)}[{{{{window}}}}]))" for _ in range(2))
    if draw(st.booleans()):
        return EventsSli(total, function, bad=part)
    return EventsSli(total, function, good=part)


@st.composite
def gauges(draw):
    name = draw(words)
    good, total = (f"sum({what}_over_time({name}[{{{{window}}}}]))" for what in ("sum", "count"))
    return EventsSli(total, EventFunction.COUNT_OVER_TIME, good=good)


@st.composite
def of_catalog(draw):
    source = draw(st.sampled_from(sorted(catalog.BY_SOURCE)))
    name = draw(st.sampled_from(measures.slis(source)))
    measure = measures.measure(name, source)
    edge = draw(st.sampled_from(measure.edges)) if measure.edges else None
    native = bool(measure.edges) and draw(st.booleans())
    select = () if source != catalog.OWN else (Matcher("role", Op.EQUAL, "client"),)
    return CatalogSli(name, source, select, edge, native)


slis = st.one_of(
    own_events(),
    gauges(),
    of_catalog(),
    st.builds(
        HistogramSli,
        words.map(lambda name: f'{name}_seconds{{job="a"}}'),
        st.sampled_from((0.1, 0.25, 2.0)),
        st.booleans(),
    ),
    st.builds(SlicedSli, words.map(lambda name: f"max({name}) < bool 100"), st.just(True)),  # noqa: FBT003 -- a value
    st.builds(SlicedSli, words.map(lambda name: f"1 - avg({name})"), st.just(False)),  # noqa: FBT003 -- a value
)
notices = st.builds(Notice, labels, labels)
tiers = st.none() | st.just(
    (Tier("page_fast", Severity.PAGE, 1.5, 6000, 600), Tier("ticket_slow", Severity.TICKET, 1.1, 36_000, 3600, 7))
)


@st.composite
def slos(draw):
    name = draw(st.from_regex(r"[A-Za-z0-9][-A-Za-z0-9_.]{0,8}[A-Za-z0-9]", fullmatch=True))
    sli = draw(slis)
    window = draw(
        st.sampled_from((1, 7, 28, 30, 90, 365)).map(lambda days: Window(days * DAY_S))
        | st.sampled_from((Window(7 * DAY_S, Calendar.WEEK), Window(92 * DAY_S, Calendar.QUARTER)))
    )
    alerting = Alerting(
        draw(st.from_regex(r"[A-Z][a-z_0-9]{1,8}", fullmatch=True)),
        draw(labels),
        draw(labels),
        draw(st.frozensets(st.sampled_from(Severity))),
        draw(tiers) if window.seconds >= 7 * DAY_S else None,
        draw(notices),
        draw(notices),
    )
    return Slo(
        draw(words),
        name,
        sli,
        draw(st.sampled_from(tuple(map(Decimal, ("50", "80", "95", "99.5", "99.95", "99.99"))))),
        window,
        alerting,
        Place("slo.yaml", 1),
        draw(st.sampled_from(("", "Answers come.", "two\nlines: 'quoted'"))),
        draw(labels),
        draw(st.sampled_from(((), ("model",)))) if isinstance(sli, CatalogSli) else (),
        draw(st.sampled_from((60, 15, 300))) if alerting.tiers is None else 60,
        draw(st.sampled_from((LowTraffic(), LowTraffic(min_bad=5), LowTraffic(wilson=0.95)))),
        draw(st.none() | st.just("https://example.org/runbook")),
    )


def said(text: str) -> Slo:
    """Return the SLO of a file of ours, as reading it makes it: what no file can say is not asked of a conversion."""
    found = reading.read({"slo.yaml": text.encode()})
    errors = [str(finding) for finding in found.findings if finding.level.value == "error"]
    assert errors == []
    return found.slos[0]


@settings(deadline=None, max_examples=150)
@given(slos())
def test_what_is_written_as_ours_is_read_as_it_was(promise):
    found = converting.convert([promise], "llmslo")
    assert found.lost == found.changed == ()
    assert replace(said(found.text), place=promise.place) == promise


@settings(deadline=None, max_examples=100)
@given(slos(), st.sampled_from(sorted(IN_OTHER_WORDS)))
def test_what_is_written_for_others_is_equal_or_listed(promise, target):
    found = converting.convert([promise], target)
    lost = {loss.key for loss in found.lost}
    differing = {loss.key for loss in found.changed}
    assert differing - IN_OTHER_WORDS[target] - lost == set(), [str(loss) for loss in found.changed]
    assert not any("reads back as" in loss.text and loss.key in lost for loss in found.changed)


@settings(deadline=None, max_examples=100)
@given(slos(), st.sampled_from(sorted(IN_OTHER_WORDS)))
def test_nothing_is_lost_where_nothing_is_set(promise, target):
    """Defaults are never a loss: a plain SLO goes into each format that can hold its SLI."""
    plain = replace(
        promise,
        name="checkout",
        sli=own(),
        window=Window(30 * DAY_S),
        alerting=Alerting("CheckoutBudgetBurn"),
        labels=(),
        group_by=(),
        scrape_interval_s=60,
        low_traffic=LowTraffic(),
    )
    assert converting.convert([plain], target).lost == ()


@pytest.mark.parametrize("target", ["sloth", "openslo", "pyrra"])
@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_is_equal_or_listed(name, target):
    found = converting.convert([EXAMPLES[name]], target)
    lost = {loss.key for loss in found.lost}
    assert {loss.key for loss in found.changed} - IN_OTHER_WORDS[target] - lost == set()


@pytest.mark.parametrize(
    ("target", "promise", "key", "text"),
    [
        ("sloth", slo(own(), window=Window(31 * DAY_S, Calendar.MONTH)), "window", "no calendar windows"),
        ("sloth", slo(own(), days=7), "window", "no alert windows for 7 days"),
        ("sloth", slo(own(), scrape_interval_s=15), "scrape_interval", "how often its metrics are read"),
        ("sloth", slo(own(), low_traffic=LowTraffic(min_bad=3)), "low_traffic", "no gate for few events"),
        ("openslo", slo(own(), group_by=("svc",)), "group_by", "one budget for all"),
        ("openslo", replace(slo(own()), name="Check_out"), "name", "it is check-out"),
        ("openslo", slo(own(), description="a" * 1051), "description", "it is cut"),
        ("pyrra", slo(SlicedSli("up == bool 1", condition=True)), "sli", "judges an expression by time"),
        ("pyrra", slo(own(), window=Window(7 * DAY_S, Calendar.WEEK)), "window", "no calendar windows"),
        (
            "pyrra",
            slo(own(), alerting=Alerting("A", disabled=frozenset({Severity.PAGE}))),
            "alerting.page.disable",
            "turns burn alerts off together",
        ),
        ("pyrra", slo(own(), labels=(("team", "a b"),)), "labels", "team is no label of Kubernetes"),
    ],
)
def test_what_a_format_cannot_hold_is_named(target, promise, key, text):
    (loss,) = [loss for loss in converting.convert([promise], target).lost if loss.key == key]
    assert text in loss.text


def test_sloth_is_told_the_period_by_a_flag():
    assert converting.convert([slo(own(), days=28)], "sloth").flags == ("--default-slo-period=28d",)
    assert converting.convert([slo(own(), days=30)], "sloth").flags == ()


def test_windows_that_differ_cannot_be_one_period_of_sloths():
    found = converting.convert([slo(own(), days=30), replace(slo(own(), days=28), name="other")], "sloth")
    assert [(loss.slo, loss.key) for loss in found.lost] == [("shop-other", "window")]


def test_openslo_has_a_policy_for_each_window():
    promise = slo(own())
    found = converting.convert([promise], "openslo")
    assert found.text.count("kind: AlertPolicy") == 2 * len(tiers_of(promise)) + 1
    assert found.text.count("kind: AlertCondition") == found.text.count("kind: AlertPolicy")
    assert found.text.count("kind: AlertNotificationTarget") == 2
    assert "two policies of one window" in " ".join(loss.text for loss in found.changed)


def test_two_slos_of_one_name_are_two_objects_of_openslo():
    other = replace(slo(own()), service="bakery")
    found = converting.convert([slo(own()), other], "openslo")
    assert [loss.key for loss in found.lost] == ["name"]
    assert "name: bakery-chat" in found.text


def test_a_plain_slo_survives_every_format():
    promise = slo(own(), labels=(("team", "web"),), description="what the shop promises", runbook_url="https://a.org/b")
    for target in CONVERSIONS:
        found = converting.convert([promise], target)
        (back,) = reading.read({"back.yaml": found.text.encode()}).slos
        assert replace(back, place=promise.place) == promise, target
