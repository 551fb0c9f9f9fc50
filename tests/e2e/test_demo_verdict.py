from __future__ import annotations

from collections import Counter

import pytest

from deploy.demo.measured import Measured, parse
from deploy.demo.prometheus import Sample
from deploy.demo.verdict import Seen, by_client, by_kernel, disagreements, hops_missing, table

OWN = Seen(Counter(ok=4), 0.100, 4, 117, 96)


def seen(**changes):
    values = {"outcomes": Counter(ok=4), "ttft_s": 0.098, "ttft_count": 4, "input_tokens": 117, "output_tokens": 96}
    return Seen(**(values | changes))


def test_a_client_and_a_kernel_that_saw_the_same_agree():
    assert disagreements("curl", OWN, seen()) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"outcomes": Counter(ok=3)}, "curl: outcomes: the client saw 4 ok, the kernel 3 ok"),
        ({"outcomes": Counter(ok=3, timeout=1)}, "curl: outcomes: the client saw 4 ok, the kernel 3 ok, 1 timeout"),
        ({"ttft_count": 0, "ttft_s": None}, "curl: first tokens: the client saw 4, the kernel 0"),
        ({"input_tokens": 116}, "curl: input tokens: the client saw 117, the kernel 116"),
        ({"output_tokens": 192}, "curl: output tokens: the client saw 96, the kernel 192"),
        ({"ttft_s": 0.010}, "curl: time to first token: the client saw 100.0 ms, the kernel 10.0 ms"),
        ({"ttft_s": 0.106}, "curl: time to first token: the client saw 100.0 ms, the kernel 106.0 ms"),
    ],
)
def test_every_number_that_differs_is_said(changes, said):
    assert disagreements("curl", OWN, seen(**changes)) == [said]


def test_a_slow_client_may_be_later_by_a_share():
    assert disagreements("node", Seen(Counter(ok=1), 1.09, 1), Seen(Counter(ok=1), 1.0, 1)) == []


def test_a_client_that_left_has_a_first_token_and_no_usage():
    own = by_client([Measured(0.04, "client_cancelled"), Measured(0.06, "client_cancelled")])
    assert (own.exchanges, own.ttft_s, own.input_tokens) == (2, pytest.approx(0.05), 0)


def test_only_the_workloads_own_series_count():
    exchanges = [Sample({"workload": "curl", "outcome": "ok"}, 4.0), Sample({"workload": "node", "outcome": "ok"}, 9.0)]
    tokens = [
        Sample({"workload": "curl", "type": "input"}, 117.0),
        Sample({"workload": "curl", "type": "output"}, 96.0),
        Sample({"workload": "curl", "type": "cache_read"}, 50.0),
    ]
    ttft, counts = [Sample({"workload": "curl"}, 0.098)], [Sample({"workload": "curl"}, 4.0)]
    assert by_kernel("curl", exchanges, ttft, counts, tokens) == seen()
    assert by_kernel("absent", exchanges, ttft, counts, tokens) == Seen()


def test_a_hop_that_missed_an_exchange_is_said():
    samples = [
        Sample({"workload": "nginx", "role": "server"}, 24.0),
        Sample({"workload": "nginx", "role": "client"}, 23.0),
        Sample({"workload": "llama-server", "role": "server"}, 24.0),
    ]
    assert hops_missing(samples, 24) == ["nginx as client: the clients had 24 exchanges, the kernel saw 23"]
    assert len(hops_missing([], 24)) == 3


def test_a_clients_lines_survive_its_chatter():
    measured = Measured(0.1, "ok", 29, 24)
    assert parse(f"warming up\n{measured.line()}\n") == [measured]


def test_the_table_shows_both_sides_where_they_differ():
    text = table({"curl": (OWN, seen(output_tokens=0)), "node": (OWN, seen())})
    curl, node = text.split("\n")[-2:]
    assert "117/96 (kernel: 117/0)" in curl
    assert "kernel" not in node
