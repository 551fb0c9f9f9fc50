"""Counters and histograms of a real Prometheus, back-filled with known events, as a baseline."""

from __future__ import annotations

import random
from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmslo_exporter import catalog
from llmslo_rulegen.baseline import gathering, metered, prometheus
from llmslo_rulegen.baseline.cell import Quantity
from llmslo_rulegen.baseline.metered import LE
from llmslo_rulegen.baseline.period import Period
from llmslo_rulegen.baseline.prometheus import Reading
from llmslo_rulegen.errors import ServerError, TooMuchError
from llmslo_rulegen.prometheus_api import Api
from tests.rules.backend import Series, lacks, storage

FIRST = 470_000  # hour
HOURS = range(FIRST, FIRST + 4)
SCRAPE_S = 60
AT_S = tuple(range(FIRST * 3600 - 600, (FIRST + 4) * 3600 + 600, SCRAPE_S))
OWN_LABELS = {"workload": "shop", "operation": "chat", "provider": "openai", "model": "gpt-5"}
RESET_AT_S = (FIRST + 2) * 3600 + 1800


def counted(events, *, reset=False):
    """Samples of a counter that adds `events(instant)` at each scrape; reset: it begins anew once."""
    value, samples = 0.0, []
    for at_s in AT_S:
        if reset and at_s == RESET_AT_S:
            value = 0.0
        value += events(at_s)
        samples.append((float(at_s), value))
    return samples


def histogram(name, labels, edges, values, *, reset=False):
    """Series of a histogram that observes `values(instant)` at each scrape."""
    for edge in (*edges, float("inf")):
        le = "+Inf" if edge == float("inf") else repr(float(edge))
        within = counted(lambda at_s, edge=edge: sum(value <= edge for value in values(at_s)), reset=reset)
        yield Series(f"{name}_bucket", {**labels, LE: le}, within)
    yield Series(f"{name}_count", labels, counted(lambda at_s: len(values(at_s)), reset=reset))


def drawn(seed, most=3):
    """Values by instant, the same at every call."""
    found = {}

    def values(at_s):
        if at_s not in found:
            chance = random.Random(f"{seed} {at_s}")
            found[at_s] = [chance.lognormvariate(0, 1.5) for _ in range(chance.randrange(most))]
        return found[at_s]

    return values


def in_hour(hour):
    """The scrapes that an hour counts: after its begin, up to its end."""
    return [at_s for at_s in AT_S if hour * 3600 < at_s <= (hour + 1) * 3600]


TTFT, DURATION, OTEL, VLLM = drawn("ttft"), drawn("duration"), drawn("otel"), drawn("vllm")
OTEL_LABELS = {
    "job": "chat",
    "gen_ai_operation_name": "chat",
    "gen_ai_provider_name": "openai",
    "gen_ai_request_model": "gpt-5",
}
VLLM_LABELS = {"job": "engine", "model_name": "llama", "engine": "0"}


def metric(source, sli):
    return next(one.metric for one in catalog.source(source).sli(sli).good if one.metric.buckets)


def steady(_):
    return 2


def rare(at_s):
    return 1 if at_s % 3600 == 1800 else 0


def series():
    own = {**OWN_LABELS, "role": "client"}
    yield from histogram("llm_time_to_first_token_seconds", own, catalog.TTFT_EDGES, TTFT)
    yield from histogram("llm_request_duration_seconds", {**own, "stream": "false"}, catalog.E2E_EDGES, DURATION)
    yield Series("llm_requests_total", {**own, "outcome": "ok", "retry": "false"}, counted(steady))
    yield Series("llm_requests_total", {**own, "outcome": "rate_limited", "retry": "false"}, counted(rare))
    yield Series("llm_requests_total", {**own, "role": "server", "outcome": "ok", "retry": "false"}, counted(steady))
    streams = {**own, "closed_by": "none", "first_token": "true"}
    yield Series("llm_streams_total", {**streams, "outcome": "completed"}, counted(rare))
    yield Series("llm_finish_total", {**own, "reason": "stop"}, counted(steady))
    yield from histogram(metric("otel-genai-b", "latency").name, OTEL_LABELS, catalog.D14, OTEL)
    failed = {**OTEL_LABELS, "error_type": "openai.RateLimitError"}
    yield from histogram(metric("otel-genai-b", "latency").name, failed, catalog.D14, lambda at_s: [1.0] * rare(at_s))
    for number in range(2):
        found = metric("vllm", "ttft")
        yield from histogram(found.name, {**VLLM_LABELS, "engine": str(number)}, found.buckets, VLLM, reset=number == 1)
    yield Series(
        "http_requests_total", {"job": "engine", "handler": "/", "method": "POST", "status": "2xx"}, counted(steady)
    )
    yield Series(
        "http_requests_total", {"job": "engine", "handler": "/", "method": "POST", "status": "5xx"}, counted(rare)
    )
    late = [(at_s, value) for at_s, value in counted(steady) if at_s >= (FIRST + 1) * 3600 + 1800]
    yield Series("tgi_request_count", {"job": "tgi", "pod": "late"}, late)
    yield Series("tgi_request_success", {"job": "tgi", "pod": "late"}, late)
    yield Series("tgi_request_count", {"job": "tgi", "pod": "failing"}, counted(rare))
    for status, events in (("429", rare), ("400", rare), ("None", rare)):
        labels = {"job": "proxy", "requested_model": "gpt", "api_provider": "openai", "exception_status": status}
        yield Series("litellm_deployment_failure_responses_total", labels, counted(events))

    yield Series("sglang:time_to_first_token_seconds", {"job": "engine"}, counted(rare))  # as a native one is called


@pytest.fixture(scope="module")
def server():
    if reason := lacks():
        pytest.skip(reason)
    with storage() as stored:
        stored.fill(list(series()))
        with stored.served() as found:
            yield found


@pytest.fixture
def survey(server):
    def read(source, hours=HOURS, labels=()):
        reading = Reading(Api(server.url), source, labels, SCRAPE_S)
        return prometheus.survey(reading, hours, lambda *_: None).baseline

    return read


def cells(baseline, **wanted):
    return {
        hour: cell
        for kind, found in baseline.kinds()
        if all(getattr(kind, name) == value for name, value in wanted.items())
        for hour, cell in found.items()
        if cell.outcomes or cell.spreads
    }


@pytest.mark.parametrize(
    ("source", "sli", "values", "factor"),
    [("llmslo", "ttft", TTFT, 1), ("llmslo", "latency", DURATION, 1), ("otel-genai-b", "latency", OTEL, 1)],
)
def test_every_event_is_within_each_own_edge(survey, source, sli, values, factor):
    """Hour by hour, at every edge of the histogram, as many values as there were."""
    quantity = {"ttft": Quantity.TTFT, "latency": Quantity.DURATION}[sli]
    found = survey(source)
    for hour in HOURS:
        observed = [value for at_s in in_hour(hour) for value in values(at_s)]
        sketches = [cell.spread(quantity) for (_, at), cell in found.cells.items() if at == hour]
        assert sum(sketch.count for sketch in sketches) == len(observed) * factor
        for edge in metric(source, sli).buckets:
            within = sum(value <= edge for value in observed)
            assert sum(sketch.within(edge) for sketch in sketches) == within * factor, edge


def test_a_reset_within_an_hour_costs_little(survey):
    """Two engines, of which one starts anew: the hours beside are exact, that hour is within a few events."""
    found = survey("vllm")
    for hour in HOURS:
        observed = 2 * sum(len(VLLM(at_s)) for at_s in in_hour(hour))
        counted_ = sum(cell.spread(Quantity.TTFT).count for (_, at), cell in found.cells.items() if at == hour)
        slack = 4 if hour == RESET_AT_S // 3600 else 0
        assert abs(counted_ - observed) <= slack


def test_outcomes_of_our_own_exporter(survey):
    """Only the client's side counts; a completed stream is one of the calls that ended well."""
    found = survey("llmslo")
    scrapes = len(in_hour(FIRST))
    assert {cell.outcomes for cell in cells(found, stream=False).values()} == {
        (("ok", 2 * scrapes - 1), ("rate_limited", 1))
    }
    assert {cell.outcome("ok") for cell in cells(found, stream=True).values()} == {1}
    assert {cell.finishes for cell in cells(found, stream=False).values()} == {(("stop", 2 * scrapes),)}
    assert {(kind.service, kind.model, kind.provider) for kind, _ in found.kinds()} == {("shop", "gpt-5", "openai")}


def test_outcomes_of_others(survey):
    scrapes = len(in_hour(FIRST))
    vllm = cells(survey("vllm"), model="")
    assert {cell.outcomes for cell in vllm.values()} == {(("ok", 2 * scrapes), ("server_error", 1))}
    litellm = cells(survey("litellm"))
    assert {cell.outcomes for cell in litellm.values()} == {(("invalid_request", 1), ("other", 1), ("rate_limited", 1))}
    otel = cells(survey("otel-genai-b"))
    assert {cell.outcome("rate_limited") for cell in otel.values()} == {1}
    for hour, cell in otel.items():
        assert cell.outcome("ok") == sum(len(OTEL(at_s)) for at_s in in_hour(hour))


def test_a_series_counts_from_its_first_sample(survey):
    """What the first sample hides nobody knows; what follows it counts, and what failed is the rest."""
    found = cells(survey("tgi"))
    rest = len([at_s for at_s in in_hour(FIRST + 1) if at_s > (FIRST + 1) * 3600 + 1800])
    assert found[FIRST].outcomes == (("other", 1),)
    assert found[FIRST + 1].outcomes == (("ok", 2 * rest), ("other", 1))


def test_labels_choose_series(survey):
    assert not survey("llmslo", labels=(("model", 'no"such\\model'),)).cells
    assert survey("llmslo", labels=(("model", "gpt-5"),)).cells == survey("llmslo").cells


def test_hours_without_data_are_none(survey):
    assert not survey("llmslo", range(FIRST - 100, FIRST - 90)).cells
    assert not survey("llmslo", range(FIRST, FIRST)).cells


def test_what_is_too_much_is_asked_in_parts(server, monkeypatch):
    """A server that gives up on more than one hour at once is asked hour by hour; the answer is the same."""
    api = Api(server.url)
    whole = prometheus.survey(Reading(api, "llmslo", (), SCRAPE_S), HOURS, lambda *_: None)
    real = api.data

    def refusing(page, asked):
        found = real(page, asked)
        if any(len(one["values"]) > 1 for one in found["result"]):
            msg = "query processing would load too many samples"
            raise TooMuchError(msg)
        return found

    monkeypatch.setattr(api, "data", refusing)
    assert prometheus.survey(Reading(api, "llmslo", (), SCRAPE_S), HOURS, lambda *_: None) == whole


@pytest.mark.parametrize("source", catalog.BY_SOURCE)
def test_every_source_is_read_without_an_error(survey, source):
    assert {kind.source for kind, _ in survey(source, range(FIRST, FIRST + 1)).cells} <= {source}


def test_native_histograms_are_named(server):
    api = Api(server.url)
    assert prometheus.natives(Reading(api, "sglang"), HOURS) == ["sglang:time_to_first_token_seconds"]
    assert prometheus.natives(Reading(api, "llmslo"), HOURS) == []


def test_a_period_is_its_full_hours():
    ns = 3600 * 10**9
    assert prometheus.hours_of(Period(10 * ns + 1, 13 * ns - 1), 20 * ns) == range(11, 12)
    assert prometheus.hours_of(Period(10 * ns, 30 * ns), 20 * ns) == range(10, 20)
    assert prometheus.hours_of(Period(None, None), 10_000 * ns) == range(10_000 - 720, 10_000)
    with pytest.raises(ServerError, match="400 at most"):
        prometheus.hours_of(Period(0, None), 20_000 * ns)


@given(st.data())
def test_any_histogram_is_exact_at_its_own_edges(data):
    """Whatever was counted where: `within` says it at each edge, and between two no more than at the lower one."""
    source = data.draw(st.sampled_from([one for one in catalog.BY_SOURCE if metered.wanted(one)]))
    wants = data.draw(st.sampled_from([one for one in metered.wanted(source) if one.quantity is not None]))
    known = (*wants.metric.buckets, float("inf"))
    counts = data.draw(st.lists(st.integers(0, 10**6), min_size=len(known), max_size=len(known)))
    cumulative = dict(zip(known, accumulate(counts), strict=True))
    for is_rate in (False, True):
        sketch = metered.sketched(cumulative, is_rate=is_rate)
        assert sketch.count == sum(counts)
        assert [sketch.within(edge) for edge in known[:-1]] == [cumulative[edge] for edge in known[:-1]]
    slow = metered.sketched(cumulative, is_rate=False)
    for lower, upper in pairwise(known[:-1]):
        assert slow.within((lower + upper) / 2) == cumulative[lower]


def test_kinds_are_bounded_while_they_are_counted(monkeypatch):
    monkeypatch.setattr(gathering, "MAX_KINDS", 3)
    (wants,) = (one for one in metered.wanted("tgi") if one.otherwise == "ok" and one.quantity is None)
    counted_ = [metered.Counted(wants, {"job": f"j{number}"}, FIRST, 2.0) for number in range(10)]
    found = metered.baseline(counted_)
    assert sorted(kind.service for kind, _ in found.cells) == ["_other", "j0", "j1", "j2"]
    assert found.count == 20


def test_sketches_of_cumulative_buckets_promise_no_more_than_is_known():
    inf = float("inf")
    found = metered.sketched({0.5: 3, 1.0: 7, 2.0: 7, inf: 9}, is_rate=False)
    assert [found.within(edge) for edge in (0.45, 0.5, 0.75, 1, 2, 600)] == [0, 3, 3, 7, 7, 7]
    assert found.count == 9
    rates = metered.sketched({20.0: 3, 50.0: 5, inf: 9}, is_rate=True)
    assert [rates.within(edge) for edge in (20, 30, 50, 100)] == [3, 5, 5, 9]
    assert list(accumulate(metered.sketched({1.0: 5, 2.0: 3, inf: 6}, is_rate=False).counts)) == [5, 6]
