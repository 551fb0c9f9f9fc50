"""The questions behind the table, as a person would type them into Prometheus."""

from __future__ import annotations

EXCHANGES = 'sum by (workload, outcome) (llm_requests_total{role="client"}) > 0'
TTFT = (
    'sum by (workload) (llm_time_to_first_token_seconds_sum{role="client"})\n'
    '  / sum by (workload) (llm_time_to_first_token_seconds_count{role="client"})'
)
TTFT_COUNT = 'sum by (workload) (llm_time_to_first_token_seconds_count{role="client"})'
TOKENS = 'sum by (workload, type) (llm_tokens_total{role="client", source="usage"})'
STREAMS = 'sum by (workload, outcome, closed_by) (llm_streams_total{role="client"}) > 0'
HOPS = "sum by (workload, role) (llm_requests_total) > 0"
MOST_IN_FLIGHT = 'max_over_time(sum(llm_requests_in_flight{role="client"})[10m:1s])'
IN_FLIGHT = "sum(llm_requests_in_flight)"

SHOWN = {
    "exchanges by outcome": EXCHANGES,
    "time to first token, mean": TTFT,
    "streams with a first token": TTFT_COUNT,
    "tokens that the answers report": TOKENS,
    "how streams ended": STREAMS,
    "every hop": HOPS,
    "most requests in flight at once": MOST_IN_FLIGHT,
    "requests in flight now": IN_FLIGHT,
}
