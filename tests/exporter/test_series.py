from __future__ import annotations

from threading import Thread

import pytest

from llmslo_exporter import catalog
from llmslo_exporter.catalog import OTHER, Limits, MetricType
from llmslo_exporter.sample_lines import Lines
from llmslo_exporter.series import OVERFLOW_SERIES, TOLD_S, Distribution, Store, Update

DAY = 86_400.0
SELF_SERIES = sum(len(metric.zeros) * metric.series for metric in catalog.SELF_METRICS)
ZEROS = sum(len(metric.zeros) for metric in catalog.EXCHANGE_METRICS)
OK = Update(catalog.REQUESTS, ("ok", "false"))
SLOW = Update(catalog.DURATION, ("false",), 12.0)


class Clock:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def labels(workload="chat", model="gpt-5", operation="chat"):
    return ("shop", workload, "openai", model, operation, "client")


def value(store, metric, *values):
    found = [reading.value for reading in store.read()[metric.name] if reading.labels == values]
    assert len(found) <= 1
    return found[0] if found else None


def dropped(store):
    return value(store, catalog.SERIES_DROPPED, "series")


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def store(clock):
    return Store(clock, Limits())


def test_a_new_label_set_shows_every_closed_value_at_zero(store):
    store.apply(labels(), [OK])
    for metric in catalog.EXCHANGE_METRICS:
        for extra in metric.zeros:
            expected = 1.0 if (metric, extra) == (OK.metric, OK.extra) else 0.0
            assert value(store, metric, *labels(), *extra) == expected
    assert store.size == SELF_SERIES + ZEROS


def test_the_exporters_own_reasons_are_there_from_the_start(store):
    for metric in catalog.SELF_METRICS:
        for extra in metric.zeros:
            assert value(store, metric, *extra) == 0.0


@pytest.mark.parametrize(("seconds", "bucket"), [(0.0, 0), (0.1, 0), (0.1000001, 1), (600, 18), (601, 19)])
def test_an_observation_falls_into_the_first_bucket_that_holds_it(store, seconds, bucket):
    store.apply(labels(), [Update(catalog.DURATION, ("true",), seconds)])
    found = value(store, catalog.DURATION, *labels(), "true")
    assert found == Distribution([int(place == bucket) for place in range(20)], seconds)


def test_an_update_without_a_value_only_makes_the_series(store):
    store.apply(labels(), [Update(catalog.TTFT, (), None)])
    assert value(store, catalog.TTFT, *labels()) == Distribution([0] * 21)


def test_23_events_are_23(store):
    for _ in range(23):
        store.apply(labels(), [OK, SLOW])
    assert value(store, catalog.REQUESTS, *labels(), "ok", "false") == 23
    assert sum(value(store, catalog.DURATION, *labels(), "false").counts) == 23


def test_what_is_read_does_not_change_afterwards(store):
    store.apply(labels(), [SLOW])
    before = value(store, catalog.DURATION, *labels(), "false")
    store.apply(labels(), [SLOW])
    assert sum(before.counts) == 1


def test_an_idle_label_set_is_evicted_and_a_used_one_is_not(store, clock):
    store.apply(labels("idle"), [OK])
    store.apply(labels("used"), [OK])
    clock.now = DAY - 1
    store.apply(labels("used"), [OK])
    clock.now = DAY + 1
    store.evict()
    assert value(store, catalog.REQUESTS, *labels("idle"), "ok", "false") is None
    assert value(store, catalog.REQUESTS, *labels("used"), "ok", "false") == 2
    assert store.size == SELF_SERIES + ZEROS


def test_the_exporters_own_counters_are_never_evicted(store, clock):
    store.count(catalog.TTFT_UNKNOWN)
    clock.now = 10 * DAY
    store.evict()
    assert value(store, catalog.TTFT_UNKNOWN) == 1


def test_a_reason_outside_the_list_is_other(store):
    store.count(catalog.PARSE_ERRORS, "new", amount=2)
    assert value(store, catalog.PARSE_ERRORS, OTHER) == 2


@pytest.mark.parametrize("cap", [500, 1_000, 20_000, 100_000])
def test_the_cap_on_series_holds_and_nothing_is_lost(clock, cap):
    store = Store(clock, Limits(series=cap))
    for number in range(3_000):
        store.apply(labels(f"w{number}"), [OK, SLOW])
    found = [r for r in store.read()[catalog.REQUESTS.name] if r.labels[-2:] == ("ok", "false")]
    assert store.size <= cap
    assert _series(store) == store.size
    assert sum(reading.value for reading in found) == 3_000
    moved = value(store, catalog.REQUESTS, *(OTHER, OTHER, OTHER, OTHER, "chat", "client"), "ok", "false")
    assert moved == dropped(store) > 0


def test_a_million_label_sets_are_counted_and_hold_no_more_than_the_cap(clock):
    store, lines = Store(clock, Limits()), Lines(catalog.METRICS)
    for number in range(1_000_000):
        store.apply(labels(f"w{number}", f"m{number}"), [OK])
    assert store.size <= Limits().series
    found = [r for r in store.read()[catalog.REQUESTS.name] if r.labels[-2:] == ("ok", "false")]
    assert sum(reading.value for reading in found) == 1_000_000
    assert dropped(store) == 1_000_000 - len(found) + 1  # all of them in one set
    assert sum(map(len, store.texts(lines)[catalog.REQUESTS.name])) < 40_000_000
    assert len(store._sets) < 2_000


def _series(store):
    return sum(len(readings) * catalog.BY_NAME[name].series for name, readings in store.read().items())


def test_no_label_set_is_held_by_half(clock):
    """A set that cannot grow is given up whole: else its errors would stay where its successes no longer arrive."""
    store = Store(clock, Limits(series=1_000))
    sets = [labels(f"w{number}") for number in range(12)]
    for shared in sets:
        store.apply(shared, [OK])
    for shared in sets:
        store.apply(shared, [OK, SLOW])
    for shared in sets:
        counted = value(store, catalog.REQUESTS, *shared, "ok", "false")
        timed = value(store, catalog.DURATION, *shared, "false")
        assert (counted is None and timed is None) or (counted == 2 and sum(timed.counts) == 1)


def test_a_full_store_takes_new_sets_again_when_old_ones_went(clock):
    store = Store(clock, Limits(series=1_000))
    for number in range(20):
        store.apply(labels(f"w{number}"), [OK])
    store.evict()
    store.apply(labels("new"), [OK])
    assert value(store, catalog.REQUESTS, *labels("new"), "ok", "false") is None
    clock.now = DAY + 1
    store.evict()
    store.apply(labels("new"), [OK])
    assert value(store, catalog.REQUESTS, *labels("new"), "ok", "false") == 1


def test_the_reserve_holds_every_overflow_series():
    def sets(metric):
        labels = [label.values for label in metric.labels if label.values]
        count = 1
        for values in labels:
            count *= len(values)
        return count * metric.series

    traffic = catalog.EXCHANGE_METRICS + catalog.CONNECTION_METRICS
    assert sum(sets(metric) for metric in traffic) <= OVERFLOW_SERIES


def test_gauges_add_up_and_fall_to_zero(store):
    first = [Update(catalog.IN_FLIGHT), Update(catalog.OLDEST, ("first_token",), 3.0)]
    older = [Update(catalog.IN_FLIGHT), Update(catalog.OLDEST, ("first_token",), 9.0)]
    store.replace_gauges([(labels(), first), (labels(), older), (labels("b"), first)])
    assert value(store, catalog.IN_FLIGHT, *labels()) == 2
    assert value(store, catalog.OLDEST, *labels(), "first_token") == 9
    assert value(store, catalog.OLDEST, *labels(), "streaming") == 0
    store.replace_gauges([(labels("b"), first)])
    assert value(store, catalog.IN_FLIGHT, *labels()) == 0
    assert value(store, catalog.OLDEST, *labels(), "first_token") == 0
    assert value(store, catalog.IN_FLIGHT, *labels("b")) == 1


def test_a_stream_in_flight_keeps_its_label_set(store, clock):
    store.apply(labels(), [OK])
    clock.now = DAY
    store.replace_gauges([(labels(), [Update(catalog.IN_FLIGHT)])])
    clock.now = DAY + 1
    store.evict()
    assert value(store, catalog.REQUESTS, *labels(), "ok", "false") == 1


def test_writers_on_several_threads_lose_nothing(store):
    def write():
        for _ in range(2_000):
            store.apply(labels(), [OK, SLOW])

    threads = [Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(20):
        store.read()
    for thread in threads:
        thread.join()
    assert value(store, catalog.REQUESTS, *labels(), "ok", "false") == 8_000
    assert sum(value(store, catalog.DURATION, *labels(), "false").counts) == 8_000


def test_every_metric_is_read_even_when_empty(store):
    assert list(store.read()) == [metric.name for metric in catalog.METRICS]
    assert any(metric.type is MetricType.HISTOGRAM for metric in catalog.METRICS)


def test_the_lowest_since_a_scrape_is_shown_and_the_next_scrape_begins_anew(store, clock):
    def told(ratio):
        store.apply(labels(), [Update(catalog.RATELIMIT, ("tokens",), ratio)])

    def shown():
        store.evict()
        store.texts(lambda _shared, _series: {})
        return value(store, catalog.RATELIMIT, *labels(), "tokens")

    told(0.5)
    told(0.2)
    told(0.4)
    assert shown() == 0.2
    assert shown() == 0.2  # nothing came since: the last word stands
    told(0.9)
    assert shown() == 0.9
    clock.now = TOLD_S + 1
    assert shown() is None  # the limit of a minute has refilled long ago
    assert store.size == _series(store)
    told(0.7)
    assert shown() == 0.7


def test_gauges_of_what_is_under_way_leave_what_was_told(store):
    store.apply(labels(), [Update(catalog.RATELIMIT, ("tokens",), 0.2)])
    store.replace_gauges([(labels(), [Update(catalog.IN_FLIGHT)])])
    store.replace_gauges([])
    assert value(store, catalog.RATELIMIT, *labels(), "tokens") == 0.2
    assert value(store, catalog.IN_FLIGHT, *labels()) == 0


def test_gauges_that_overflowed_fall_to_zero_too(clock):
    store = Store(clock, Limits(series=1_000))
    others = (OTHER, OTHER, OTHER, OTHER, "chat", "client")
    for number in range(20):
        store.apply(labels(f"w{number}"), [OK])
    store.replace_gauges([(labels("new"), [Update(catalog.IN_FLIGHT)])])
    assert value(store, catalog.IN_FLIGHT, *others) == 1
    store.replace_gauges([])
    assert value(store, catalog.IN_FLIGHT, *others) == 0


def test_only_label_sets_that_changed_are_written_again(store):
    asked = []

    def write(shared, series):
        asked.append(shared)
        return {catalog.REQUESTS.name: f"{shared[1]} {series[catalog.REQUESTS.name, OK.extra].value}\n".encode()}

    store.apply(labels("a"), [OK])
    store.apply(labels("b"), [OK])
    assert store.texts(write)[catalog.REQUESTS.name] == [b"a 1.0\n", b"b 1.0\n"]
    store.apply(labels("b"), [OK])
    assert store.texts(write)[catalog.REQUESTS.name] == [b"a 1.0\n", b"b 2.0\n"]
    assert asked == [labels("a"), labels("b"), labels("b")]
