from __future__ import annotations

from dataclasses import replace
from threading import Thread

import pytest

from llmslo_exporter import catalog
from llmslo_exporter.admission import Admission
from llmslo_exporter.catalog import OTHER, Limits
from llmslo_exporter.observe import InFlight
from llmslo_exporter.recorder import Recorder
from llmslo_exporter.series import Store
from llmslo_exporter.summary import Role
from tests.exporter.exchanges import CHAT, PLAIN, REFUSED, STREAM


def still():
    return 0.0


@pytest.fixture
def store():
    return Store(still, Limits())


@pytest.fixture
def recorder(store):
    return Recorder(store, Admission(Limits(), still))


def values(store, metric):
    return {reading.labels: reading.value for reading in store.read()[metric.name]}


SHARED = ("shop", "chat", "openai", "gpt-5", "chat", "client")


def test_a_stream_counts_under_its_labels_and_its_handshake_without_model(store, recorder):
    recorder.record(STREAM, CHAT)
    assert values(store, catalog.REQUESTS)[*SHARED, "ok", "false"] == 1
    assert sum(values(store, catalog.HANDSHAKE)["shop", "chat", "openai", "client"].counts) == 1
    assert values(store, catalog.TLS_FAILURES) == {("shop", "chat", "openai", "client"): 0}


def test_an_unanswered_model_counts_as_other(store, recorder):
    recorder.record(REFUSED, CHAT)
    found = values(store, catalog.REQUESTS)
    assert found["shop", "chat", "openai", OTHER, "chat", "client", "rate_limited", "false"] == 1
    assert not any("gpt-5" in labels for labels in found)
    recorder.record(STREAM, CHAT)
    recorder.record(REFUSED, CHAT)
    assert values(store, catalog.REQUESTS)[*SHARED, "rate_limited", "false"] == 1


def test_a_hundred_thousand_hostile_model_names_make_fifty_one(store, recorder):
    for number in range(100_000):
        recorder.record(replace(PLAIN, model=f"m{number}", tokens=(), finishes=()), CHAT)
    found = values(store, catalog.REQUESTS)
    assert len({labels[3] for labels in found}) == 51
    assert sum(found.values()) == 100_000
    assert values(store, catalog.SERIES_DROPPED)["models",] == 99_950


def test_a_failed_handshake_makes_the_histogram_too(store, recorder):
    recorder.record_tls_failure("openai", Role.CLIENT, CHAT)
    where = ("shop", "chat", "openai", "client")
    assert values(store, catalog.TLS_FAILURES) == {where: 1}
    assert sum(values(store, catalog.HANDSHAKE)[where].counts) == 0
    assert values(store, catalog.REQUESTS) == {}


def test_who_tells_what_is_under_way_may_record_meanwhile(store, recorder):
    """As the tracer does, under a lock of its own."""

    def flights():
        recording = Thread(target=recorder.record, args=(STREAM, CHAT), daemon=True)
        recording.start()
        recording.join(10)
        assert not recording.is_alive()
        yield InFlight(Role.CLIENT, "openai", "gpt-5", "chat", CHAT, "first_token", 4.0)

    recorder.show_in_flight(flights())
    assert values(store, catalog.IN_FLIGHT)[SHARED] == 1


def test_in_flight_has_the_model_only_once_it_is_known(store, recorder):
    flight = InFlight(Role.CLIENT, "openai", "gpt-5", "chat", CHAT, "first_token", 4.0)
    recorder.show_in_flight([flight])
    assert values(store, catalog.IN_FLIGHT) == {("shop", "chat", "openai", OTHER, "chat", "client"): 1}
    recorder.record(STREAM, CHAT)
    recorder.show_in_flight([flight, replace(flight, age_s=7.0)])
    found = values(store, catalog.IN_FLIGHT)
    assert found == {SHARED: 2, ("shop", "chat", "openai", OTHER, "chat", "client"): 0}
    assert values(store, catalog.OLDEST)[*SHARED, "first_token"] == 7.0


def test_self_counters_of_an_exchange_have_no_shared_labels(store, recorder):
    recorder.record(replace(STREAM, ttft_unknown=True, encoding="gzip"), CHAT)
    assert values(store, catalog.TTFT_UNKNOWN) == {(): 1}
    assert values(store, catalog.COMPRESSED)["gzip",] == 1
