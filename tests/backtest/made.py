"""Calls with one known outage, from the epoch on."""

from __future__ import annotations

import json
from decimal import Decimal

from llmslo_rulegen.slo import Alerting, CatalogSli, Place, Slo, Window
from llmslo_rulegen.traces.call import Call

HOUR_S, DAY_S = 3600, 86_400
SOURCE = "otel-genai-b"
OUTAGE_S = (9 * HOUR_S + 120, 9 * HOUR_S + 120 + 2400)
LASTS_S = 14 * HOUR_S
EVERY_S = 5  # from call to call
BAD_ONE_IN, BAD_OF = 3, 2  # in the outage, of each three calls in a row two fail


def call(at_s, service="chat", *, source=SOURCE, model="gpt", duration_s=0.5, error=""):
    """Return a call that is no stream."""
    return Call(
        source=source,
        service=service,
        operation="chat",
        provider="openai",
        model=model,
        stream=False,
        start_ns=round(at_s * 1_000_000_000),
        duration_s=duration_s,
        error=error,
    )


def calls(service="chat"):
    """Return a call each five seconds, each half a second long; in the outage two of three fail."""
    return [
        call(at_s, service, error="server_error" if bad else "")
        for number, at_s in enumerate(range(0, LASTS_S, EVERY_S))
        for bad in [OUTAGE_S[0] <= at_s < OUTAGE_S[1] and number % BAD_ONE_IN < BAD_OF]
    ]


def slo(**more):
    """Return an SLO of availability, 99.5 % over 30 days."""
    found = {
        "service": "chat",
        "name": "availability",
        "sli": CatalogSli("availability", SOURCE),
        "objective": Decimal("99.5"),
        "window": Window(30 * DAY_S),
        "alerting": Alerting("Burning"),
        "place": Place("slo.yaml", 1),
    }
    return Slo(**(found | more))


SLO_FILE = """version: llmslo/v1
service: chat
slos:
  - {name: availability, source: otel-genai-b, sli: availability, objective: 99.5}
"""


def otlp(found, shift_s=0):
    """Return calls as one document of OTLP JSON."""
    spans = [
        {
            "traceId": f"{number:032x}",
            "spanId": f"{number + 1:016x}",
            "name": "chat gpt",
            "kind": 3,
            "startTimeUnixNano": str(call.start_ns + shift_s * 10**9),
            "endTimeUnixNano": str(call.start_ns + shift_s * 10**9 + round(call.duration_s * 1e9)),
            "attributes": [
                {"key": key, "value": {"stringValue": value}}
                for key, value in (
                    ("gen_ai.operation.name", call.operation),
                    ("gen_ai.provider.name", call.provider),
                    ("gen_ai.request.model", call.model),
                    *((("error.type", "500"),) if call.error else ()),
                )
            ],
            "status": {"code": 2} if call.error else {},
        }
        for number, call in enumerate(found)
    ]
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": found[0].service}}]}
    return json.dumps({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": spans}]}]})
