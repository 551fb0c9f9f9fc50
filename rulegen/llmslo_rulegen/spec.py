"""The shape of an `llmslo/v1` file: which keys there are, what each holds, what it is when left out.

Here only form is decided; what a value means (is there such an SLI, such a bucket edge) is decided in `promises`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, StrictBool, Tag

from llmslo_rulegen import fields
from llmslo_rulegen.tier import Severity

VERSION = "llmslo/v1"
DEFAULT_SOURCE = "llmslo"
NAMED, OWN = "named", "own"  # an SLI of the catalog, an SLI written out


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Switch(_Shape):
    """The alerts of one severity: whether there are any, and what they carry."""

    disable: StrictBool = False
    labels: dict[fields.LabelName, fields.LabelValue] = {}
    annotations: dict[fields.LabelName, fields.Annotation] = {}


class TierShape(_Shape):
    """One burn alert of a team's own choice; `factor` times the budget over both windows."""

    name: fields.TierName
    severity: Severity
    factor: fields.Factor
    long: fields.BurnWindow
    short: fields.BurnWindow
    min_bad: fields.Count = None


class AlertingShape(_Shape):
    """How the alerts of one SLO are called and what they carry."""

    name: fields.AlertName | None = None
    labels: dict[fields.LabelName, fields.LabelValue] = {}
    annotations: dict[fields.LabelName, fields.Annotation] = {}
    page: Switch = Switch()
    ticket: Switch = Switch()
    tiers: Annotated[list[TierShape], Field(min_length=1)] | None = None


class LowTrafficShape(_Shape):
    """What keeps few events from alerting: a least count of bad events, or Wilson's lower bound."""

    min_bad: fields.Count = None
    wilson: fields.Confidence | None = None


class OwnSli(_Shape):
    """An SLI written out: bad and total or good and total events, a histogram, or slices of time."""

    bad: fields.Text = ""
    good: fields.Text = ""
    total: fields.Text = ""
    histogram: fields.Text = ""
    native: StrictBool = False
    ratio: fields.Text = ""
    good_when: fields.Text = ""


_LOW_TRAFFIC, _ALERTING = LowTrafficShape(), AlertingShape()


def _kind(value: object) -> str | None:
    if isinstance(value, str):
        return NAMED
    return OWN if isinstance(value, (dict, OwnSli)) else None


class SloShape(_Shape):
    """One SLO as written."""

    name: fields.Name
    sli: Annotated[Annotated[fields.Text, Tag(NAMED)] | Annotated[OwnSli, Tag(OWN)], Discriminator(_kind)]
    objective: fields.Objective
    description: fields.Text = ""
    source: fields.Text = DEFAULT_SOURCE
    native: StrictBool = False
    select: dict[fields.LabelName, fields.Choices] = {}
    group_by: list[fields.LabelName] = []
    threshold: fields.ThresholdField | None = None
    window: fields.WindowField = fields.window(fields.DEFAULT_WINDOW)
    # Shared, as they are frozen: pydantic would copy them for each of a thousand SLOs.
    low_traffic: LowTrafficShape = Field(default_factory=lambda: _LOW_TRAFFIC)
    alerting: AlertingShape = Field(default_factory=lambda: _ALERTING)
    runbook_url: fields.Url | None = None
    dashboard_url: fields.Url | None = None


class FileShape(_Shape):
    """One document."""

    version: Literal["llmslo/v1"]
    service: fields.Name
    slos: Annotated[list[SloShape], Field(min_length=1)]
    labels: dict[fields.LabelName, fields.LabelValue] = {}
    scrape_interval: fields.ScrapeInterval = 60
    runbook_url: fields.Url | None = None
    dashboard_url: fields.Url | None = None


SHAPES: dict[tuple[str, ...], type[BaseModel]] = {
    (): FileShape,
    ("slos",): SloShape,
    ("slos", "sli"): OwnSli,
    ("slos", "low_traffic"): LowTrafficShape,
    ("slos", "alerting"): AlertingShape,
    ("slos", "alerting", "page"): Switch,
    ("slos", "alerting", "ticket"): Switch,
    ("slos", "alerting", "tiers"): TierShape,
}
