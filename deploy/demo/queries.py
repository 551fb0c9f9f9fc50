"""The questions behind the table, as a person would type them into Prometheus.

The exporter sees the whole node, so each of them asks for the demo's model.
"""

from __future__ import annotations

MODEL = "gemma3-270m"
_ALL = f'{{model="{MODEL}"}}'
_CLIENTS = f'{{model="{MODEL}", role="client"}}'

EXCHANGES = f"sum by (workload, outcome) (llm_requests_total{_CLIENTS}) > 0"
TTFT = (
    f"sum by (workload) (llm_time_to_first_token_seconds_sum{_CLIENTS})\n"
    f"  / sum by (workload) (llm_time_to_first_token_seconds_count{_CLIENTS})"
)
TTFT_COUNT = f"sum by (workload) (llm_time_to_first_token_seconds_count{_CLIENTS})"
TOKENS = f'sum by (workload, type) (llm_tokens_total{{model="{MODEL}", role="client", source="usage"}})'
STREAMS = f"sum by (workload, outcome, closed_by) (llm_streams_total{_CLIENTS}) > 0"
HOPS = f"sum by (workload, role) (llm_requests_total{_ALL}) > 0"
MOST_IN_FLIGHT = f"max_over_time(sum(llm_requests_in_flight{_CLIENTS})[10m:1s])"
IN_FLIGHT = f"sum(llm_requests_in_flight{_ALL})"

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
