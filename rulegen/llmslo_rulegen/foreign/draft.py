"""An SLO of somebody else's document on its way to ours: an `llmslo/v1` document whose lines are those of the source.

What it means is then decided where our own files are read, so that one set of checks holds for all formats.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from llmslo_exporter import catalog
from llmslo_rulegen import names
from llmslo_rulegen.fields import url
from llmslo_rulegen.foreign.node import Node
from llmslo_rulegen.located import Document, Map, Seq
from llmslo_rulegen.spec import VERSION
from llmslo_rulegen.tier import Severity

URLS = ("runbook_url", "dashboard_url")
MOVED = "exported_"  # what Prometheus itself puts before a label that is taken


@dataclass(frozen=True, slots=True)
class Burn:
    """A burn tier of an alert window catalog, with its place."""

    name: str
    severity: Severity
    factor: Decimal
    long_s: int
    short_s: int
    line: int


@dataclass(slots=True)
class Draft:
    """Members of one SLO with the line of each; `file` are those that stand above the SLOs of ours."""

    node: Node
    file: Map = field(default_factory=Map)
    slo: Map = field(default_factory=Map)
    alerting: Map = field(default_factory=Map)

    def put(self, key: str, value: object, node: Node, *, of: Map | None = None) -> None:
        """Write a member of the SLO (or `of` another mapping) where there is a value."""
        target = self.slo if of is None else of
        if value is None or value == "":
            return
        target[key] = value
        target.lines[key] = node.line

    def sli(self, node: Node, **members: object) -> None:
        """Write an SLI of one's own."""
        found = Map()
        for key, value in members.items():
            self.put(key, value, node, of=found)
        self.put("sli", found, node)

    def group_by(self, labels: tuple[str, ...], node: Node) -> None:
        """Write the labels that have a budget for each value."""
        found = Seq()
        for label in labels:
            found.append(label)
            found.lines.append(node.line)
        if found:
            self.put("group_by", found, node)

    def labels(self, node: Node, *, of: Map | None = None, severity: bool = False) -> None:
        """Write labels; one that the rules set moves aside, as Prometheus moves it, and what is no label goes.

        `severity`: a label of that name is the word for the alerts of one severity, and may stay.
        """
        target = self.file if of is None else of
        found = target.get("labels")
        labels = found if isinstance(found, Map) else Map()
        for key, value in node.members():
            self._label(key, value, labels, severity=severity)
        if labels:
            self.put("labels", labels, node, of=target)

    def _label(self, key: str, value: Node, labels: Map, *, severity: bool) -> None:
        text = value.word()
        if text is None:
            return
        if key == catalog.SEVERITY and severity and names.WORD.fullmatch(text):
            self.put(key, text, value, of=labels)
        elif not names.LABEL.fullmatch(key) or key.startswith("__"):
            value.lost("this cannot be a label of Prometheus")
        elif not text or "{{" in text:
            value.lost("labels are fixed here: neither empty nor a template")
        elif key in catalog.RESERVED_LABELS or key.startswith(catalog.SLOTH_PREFIX):
            self.put(MOVED + key, text, value, of=labels)
            value.changed(f"the rules set {key} themselves: it is {MOVED}{key} here")
        else:
            self.put(key, text, value, of=labels)

    def annotations(self, node: Node, *, of: Map | None = None) -> None:
        """Write annotations; links that we have a key for go there."""
        target = self.alerting if of is None else of
        found = Map()
        for key, value in node.members():
            text = value.word()
            if text is None:
                continue
            if of is None and key in URLS and _is_url(text):
                self.put(key, text, value)
            elif not names.LABEL.fullmatch(key) or key.startswith("__") or text.count("{{") != text.count("}}"):
                value.lost("this cannot be an annotation of Prometheus")
            else:
                self.put(key, text, value, of=found)
        if found:
            self.put("annotations", found, node, of=target)

    def alert_name(self, node: Node) -> None:
        """Write the name of the burn alerts."""
        found = node.text()
        if not found:
            return
        if len(found) <= names.MAX_NAME and names.ALERT.fullmatch(found):
            self.put("name", found, node, of=self.alerting)
        else:
            node.lost("an alert is called by letters, digits and _ here, a letter first: it is called after the SLO")

    def severity(self, severity: Severity, node: Node, *, labels: Node | None = None, off: bool = False) -> None:
        """Write what the alerts of one severity carry, or that there are none."""
        found = Map()
        if off:
            self.put("disable", True, node, of=found)  # noqa: FBT003 -- a value
        if labels is not None:
            self.labels(labels, of=found, severity=True)
            self.annotations(node.at("annotations"), of=found)
        if found:
            self.put(severity.value, found, node, of=self.alerting)

    def document(self) -> Document:
        """Return the document of ours."""
        if self.alerting:
            self.put("alerting", self.alerting, self.node)
        slos = Seq()
        slos.append(self.slo)
        slos.lines.append(self.node.line)
        whole = Map()
        self.put("version", VERSION, self.node, of=whole)
        for key, value in self.file.items():
            whole[key] = value
            whole.lines[key] = self.file.lines[key]
        self.put("slos", slos, self.node, of=whole)
        return Document(self.node.document.file, self.node.line, whole)

    def tiers(self, burns: Iterator[Burn], node: Node) -> None:
        """Write burn tiers of a catalog."""
        found = Seq()
        for burn in burns:
            tier = Map()
            for key, value in (
                ("name", burn.name),
                ("severity", burn.severity.value),
                ("factor", burn.factor),
                ("long", f"{burn.long_s}s"),
                ("short", f"{burn.short_s}s"),
            ):
                tier[key] = value
                tier.lines[key] = burn.line
            found.append(tier)
            found.lines.append(burn.line)
        if found:
            self.put("tiers", found, node, of=self.alerting)


def _is_url(text: str) -> bool:
    try:
        url(text)
    except ValueError:
        return False
    return True
