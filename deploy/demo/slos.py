"""The SLO file of the demo: two promises about its model, with windows of seconds, so that an outage fits into it."""

from __future__ import annotations

import yaml

from llmslo_exporter.catalog import TTFT

SERVICE = "demo"
FIRST_TOKEN, AVAILABILITY = "first-token", "availability"
ALERTS = {FIRST_TOKEN: "DemoSlowFirstToken", AVAILABILITY: "DemoErrors"}
# The textbook has 1h/5m and 1d/2h; factors of 3 and 2 suit an objective of 90 % (14.4 could never fire there).
TIERS = (
    {"name": "page_fast", "severity": "page", "factor": 3, "long": "20s", "short": "5s"},
    {"name": "ticket_fast", "severity": "ticket", "factor": 2, "long": "60s", "short": "15s"},
)
LONG_S = 20.0
TOLERANCE = 4  # times the usual time to the first token


def threshold_s(usual_s: float) -> float:
    """Return the bucket edge that the usual first token meets easily."""
    return next((edge for edge in TTFT.buckets if edge >= TOLERANCE * usual_s), TTFT.buckets[-1])


def slo_file(model: str, workload: str, limit_s: float) -> str:
    """Return the file as a team would write it."""
    first = {"name": FIRST_TOKEN, "sli": "ttft", "threshold": f"{limit_s:g}s"}
    errors = {"name": AVAILABILITY, "sli": "availability"}
    return yaml.safe_dump(
        {
            "version": "llmslo/v1",
            "service": SERVICE,
            "scrape_interval": "1s",
            "slos": [
                {
                    **slo,
                    "objective": 90,
                    "window": "1d",
                    "select": {"model": model, "workload": workload},
                    "low_traffic": {"min_bad": 2},
                    "alerting": {"name": ALERTS[str(slo["name"])], "tiers": [dict(tier) for tier in TIERS]},
                }
                for slo in (first, errors)
            ],
        },
        sort_keys=False,
    )
