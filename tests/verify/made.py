"""Calls and SLOs for the tests of verify: made, or recorded, and the promises that hold for them."""

from __future__ import annotations

import random
from decimal import Decimal
from functools import cache
from pathlib import Path

from llmslo_exporter import catalog
from llmslo_rulegen import reading
from llmslo_rulegen.traces import reading as trace_reading
from llmslo_rulegen.traces.call import Call

SPANS = Path(__file__).parents[1] / "data" / "spans"
SOURCE = "otel-genai-b"
MINUTE_NS = 60 * 1_000_000_000
BEGIN_NS = 1_790_000_000 * 1_000_000_000


@cache
def recorded(name="usual"):
    """Return the calls of a recorded file."""
    return tuple(call for call in trace_reading.calls([SPANS / f"{name}.jsonl.gz"], lambda *_: None))


def call(service="chat", **values):
    """Return a call that went well, but for `values`."""
    fine = {
        "source": SOURCE,
        "service": service,
        "operation": "chat",
        "provider": "openai",
        "model": "m1",
        "stream": True,
        "start_ns": BEGIN_NS,
        "duration_s": 2.0,
        "ttft_s": 0.5,
        "tpot_s": 0.05,
        "input_tokens": 40,
        "output_tokens": 31,
        "finish": "stop",
    }
    return Call(**fine | values)


def calls(service="chat", count=400, minutes=60, seed=7, **values):
    """Return calls over some time, streams with every value, of which none fails."""
    dice = random.Random(f"{service} {seed}")
    found = []
    for number in range(count):
        ttft_s, tokens = dice.lognormvariate(-0.7, 0.4), dice.randint(5, 200)
        tpot_s = dice.uniform(0.01, 0.05)
        drawn = {"duration_s": ttft_s + tpot_s * (tokens - 1), "ttft_s": ttft_s, "tpot_s": tpot_s}
        start_ns = BEGIN_NS + int(number * minutes * MINUTE_NS / count) + dice.randrange(1000)
        found.append(call(service, start_ns=start_ns, **drawn | {"output_tokens": tokens} | values))
    return found


def slos(text):
    """Return the SLOs of a file that is right."""
    read = reading.read({"slo.yaml": text.encode()})
    assert read.findings == (), read.findings
    return read.slos


def text(service, *members, source=SOURCE):
    """Return an SLO file: each member is the SLI, the objective, and the threshold in seconds or None."""
    lines = ["version: llmslo/v1", f"service: {service}", "slos:"]
    for sli, objective, threshold in members:
        lines += [f"  - name: {sli}", f"    sli: {sli}", f"    source: {source}", f"    objective: {objective}"]
        lines += [f"    select: {{job: {service}}}"] if source.startswith("otel") else []
        lines += [f"    threshold: {threshold}s"] if threshold is not None else []
    return "\n".join(lines) + "\n"


def own_promises(found, objective=90):
    """Return an SLO file with what holds for these calls: for each service each SLI, at the least edge that holds."""
    documents = []
    for service in sorted({one.service for one in found}):
        mine = [one for one in found if one.service == service]
        fine = [one for one in mine if not one.error]
        members = [("availability", objective, None), ("latency", objective, edge([one.duration_s for one in fine]))]
        firsts = [one.ttft_s for one in mine if one.ttft_s is not None]
        if firsts:
            members.append(("ttft", objective, edge(firsts)))
        documents.append(text(service, *members))
    return "---\n".join(documents)


def edge(values, share=0.92):
    """Return the least bucket edge within which `share` of the values lie."""
    edges = catalog.source(SOURCE).sli("latency").edges
    return next(Decimal(str(one)) for one in edges if sum(value <= one for value in values) >= share * len(values))
