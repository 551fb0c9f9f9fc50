"""A real Prometheus: its configuration, and questions to its API."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import yaml

from deploy.demo.children import DemoError


@dataclass(frozen=True, slots=True)
class Sample:
    """One series of an instant query's answer."""

    labels: dict[str, str]
    value: float


def config(exporter: str, alertmanager: str, rendered: Path) -> str:
    """Return a configuration that scrapes `exporter` (host:port) every second and loads the rules below `rendered`."""
    return yaml.safe_dump(
        {
            "global": {"scrape_interval": "1s", "scrape_timeout": "900ms", "evaluation_interval": "1s"},
            "rule_files": [str(rendered / "rules" / "*.yaml"), str(rendered / "alertmanager" / "rules" / "*.yaml")],
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]},
            "scrape_configs": [{"job_name": "llmslo", "static_configs": [{"targets": [exporter]}]}],
        }
    )


def reload(base_url: str) -> None:
    """Make Prometheus read its configuration and rules again; raise DemoError when it refuses them."""
    request = urllib.request.Request(f"{base_url}/-/reload", method="POST")  # noqa: S310 - a loopback address of our own
    try:
        with urllib.request.urlopen(request, timeout=5):  # noqa: S310 - as above
            return
    except urllib.error.HTTPError as error:
        msg = f"Prometheus refused the rules: {error.read().decode(errors='replace').strip()}"
        raise DemoError(msg) from error
    except OSError as error:
        msg = f"Prometheus does not answer: {error}"
        raise DemoError(msg) from error


def rules(base_url: str) -> int:
    """Return how many rules Prometheus has loaded."""
    try:
        with urllib.request.urlopen(f"{base_url}/api/v1/rules", timeout=5) as answer:  # noqa: S310 - as above
            document = json.load(answer)
    except OSError as error:
        msg = f"Prometheus does not answer: {error}"
        raise DemoError(msg) from error
    return sum(len(group["rules"]) for group in document["data"]["groups"])


def query(base_url: str, promql: str) -> list[Sample]:
    """Return the instant query's series; raise DemoError when Prometheus refuses or is gone."""
    url = f"{base_url}/api/v1/query?{urllib.parse.urlencode({'query': promql})}"
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - a loopback address of our own
            document = json.load(answer)
    except urllib.error.HTTPError as error:
        msg = f"Prometheus refused {promql!r}: {error.read().decode(errors='replace')}"
        raise DemoError(msg) from error
    except OSError as error:
        msg = f"Prometheus does not answer: {error}"
        raise DemoError(msg) from error
    return [Sample(series["metric"], float(series["value"][1])) for series in document["data"]["result"]]
