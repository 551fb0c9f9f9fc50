from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from prometheus_client.exposition import choose_encoder

from llmslo_exporter.negotiation import Format, choose, takes_gzip

# As their sources send them.
PROMETHEUS_2 = (
    "application/openmetrics-text;version=1.0.0;q=0.75,application/openmetrics-text;version=0.0.1;q=0.5,"
    "text/plain;version=0.0.4;q=0.25,*/*;q=0.1"
)
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;"
    "q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
PROMETHEUS_PROTOBUF = f"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;q=0.9,{PROMETHEUS_3}"
VICTORIA = "text/plain;version=0.0.4;q=1,*/*;q=0.1"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8"
CLIENTS = (PROMETHEUS_2, PROMETHEUS_3, PROMETHEUS_PROTOBUF, VICTORIA, BROWSER, "*/*", "")


@pytest.mark.parametrize("accept", CLIENTS)
def test_real_clients_get_what_the_library_gives_them(accept):
    assert choose(accept)[1] == choose_encoder(accept)[1]


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("application/openmetrics-text", Format.OPENMETRICS),
        ("APPLICATION/OpenMetrics-Text; Version=1.0.0", Format.OPENMETRICS),
        ("application/openmetrics-text; version=0.0.1", Format.TEXT),
        ("application/openmetrics-text; version=99.abc", Format.TEXT),
        ("application/openmetrics-text; q=0", Format.TEXT),
        ("application/openmetrics-text;q=0.1, text/plain;q=0.9", Format.TEXT),
        ("text/plain; version=1.0.0", Format.TEXT_1),
        ("application/json", Format.TEXT),
        (";;;,,,=", Format.TEXT),
        ("application/openmetrics-text;q=nan", Format.OPENMETRICS),
    ],
)
def test_format(accept, expected):
    assert choose(accept)[0] is expected


@pytest.mark.parametrize("scheme", ["dots", "values", "x\r\nSet-Cookie: a=b"])
def test_a_scheme_that_rewrites_names_is_not_promised(scheme):
    _, content_type = choose(f"application/openmetrics-text; version=1.0.0; escaping={scheme}")
    assert content_type == f"{Format.OPENMETRICS.value}; escaping=underscores"


KNOWN = {
    f"{form.value}{suffix}"
    for form in Format
    for suffix in ("", "; escaping=underscores", "; escaping=allow-utf-8")
    if form is not Format.TEXT or not suffix
}


PARTS = st.sampled_from(
    [*",;=q10.\r\n\t */", "text/plain", "application/openmetrics-text", "version=", "1.0.0", "escaping=", "allow-utf-8"]
)


@given(st.text() | st.lists(PARTS).map("".join))
@settings(deadline=None)
@example("application/openmetrics-text;version=1.0.0\r\n x")
def test_nothing_of_a_header_comes_back_and_nothing_raises(accept):
    assert choose(accept)[1] in KNOWN
    assert takes_gzip(accept) in {True, False}


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", False),
        ("gzip", True),
        ("deflate, GZIP;q=0.5", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000", False),
        ("*", True),
        ("*, gzip;q=0", False),
        ("identity", False),
    ],
)
def test_takes_gzip(header, expected):
    assert takes_gzip(header) is expected
