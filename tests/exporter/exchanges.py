"""One plain exchange of each kind, to be changed where a test needs another."""

from __future__ import annotations

from dataclasses import replace

from llmslo_exporter.exchange import ClosedBy, Exchange, Outcome, StreamOutcome, Tokens, TokenSource
from llmslo_exporter.identity import Workload
from llmslo_exporter.summary import FinishReason, Role

CHAT = Workload("shop", "chat")

# 41 tokens by usage: first at 0.4 s, last at 2.4 s, so 0.05 s a token and 20 tokens/s.
STREAM = Exchange(
    role=Role.CLIENT,
    provider="openai",
    model="gpt-5",
    operation="chat",
    stream=True,
    retry=False,
    status=200,
    outcome=Outcome.OK,
    stream_outcome=StreamOutcome.COMPLETED,
    closed_by=ClosedBy.NONE,
    duration_s=2.5,
    first_byte_s=0.06,
    first_token_s=0.4,
    first_output_s=0.7,
    last_token_s=2.4,
    max_gap_s=0.25,
    content_events=30,
    ttft_unknown=False,
    tokens=(Tokens(TokenSource.USAGE, input=100, output=41, cache_read=64, reasoning=8),),
    finishes=(FinishReason.STOP,),
    handshake_s=0.012,
    encoding=None,
)
PLAIN = replace(
    STREAM,
    stream=False,
    stream_outcome=None,
    first_token_s=None,
    first_output_s=None,
    last_token_s=None,
    max_gap_s=None,
    content_events=0,
    handshake_s=None,
)
REFUSED = replace(
    PLAIN, status=429, outcome=Outcome.RATE_LIMITED, tokens=(), finishes=(), duration_s=0.1, first_byte_s=0.1
)
