"""What a receiver hears of an incident: rendered rules, promtool's rule engine, a real Alertmanager, a webhook.

    python -m tests.rules.alertmanager

Time is compressed in one place only. promtool evaluates the rendered rules every 5 minutes over days of traffic, with
the windows that a team would run; what fires when is then told to a real Alertmanager on a clock that runs 2 400 times
faster, and every timer of the rendered configuration (group_wait, group_interval, repeat_interval) is divided by the
same number. Stretches of more than 15 minutes in which no alert begins or ends are cut to 15 (three group intervals):
nothing but a repetition could happen in them, and the repeat interval is longer than any incident here.
"""

from __future__ import annotations

import http.client
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import yaml

from deploy.demo.alertmanager import configuration
from deploy.demo.webhook import Notification, webhook
from llmslo_exporter import catalog
from llmslo_rulegen import durations, followers, routing, yaml_text
from llmslo_rulegen.groups import groups
from llmslo_rulegen.slo import Alerting, EventFunction, EventsSli, Place, Slo, Window
from llmslo_rulegen.tier import Severity, Tier
from tests.rules.backend import BackendError, free_port, run

STEP_S = 300  # of evaluation: Prometheus' slowest sound one, so the coarsest case
SCALE = 2400  # seconds of the rules' time in one second here: a group interval becomes 0.125 s
MOST_STEPS = 3
READY_S, STOP_S, POST_S, PROMTOOL_S = 30.0, 10.0, 10.0, 300.0

Labels = frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Stretch:
    """Traffic of one SLO: so long, so many events a minute, such a share of them bad."""

    minutes: int
    bad: float
    per_minute: int = 10_000


@dataclass(frozen=True, slots=True)
class Incident:
    """Traffic of each model, and how often a receiver must hear (firing, resolved) of it; one not named: never."""

    name: str
    models: Mapping[str, Sequence[Stretch]]
    expected: Mapping[str, tuple[int, int]]
    objective: Decimal = Decimal("99.9")
    tiers: tuple[Tier, ...] | None = None  # of a team's own

    @property
    def slo(self) -> Slo:
        """One SLO, with a budget for each model where there are several."""
        grouped = ("model",) if len(self.models) > 1 else ()
        by = f" by ({', '.join(grouped)})" if grouped else ""
        total, bad = (f"sum{by} (rate(events_total{of}[{{{{window}}}}]))" for of in ("", '{result="bad"}'))
        return Slo(
            *("support.bot", "first-token", EventsSli(total, EventFunction.RATE, bad), self.objective),
            *(Window(30 * DAY_S), Alerting("SlowFirstToken", tiers=self.tiers), Place("slo.yaml", 1)),
            group_by=grouped,
        )

    @property
    def until_s(self) -> int:
        """When its traffic ends."""
        return 60 * (max(sum(each.minutes for each in of) for of in self.models.values()) - 1)


@dataclass(frozen=True, slots=True)
class Instant:
    """Which alerts fire at one evaluation."""

    at_s: int
    alerts: frozenset[Labels]


def timeline(rule_files: Mapping[str, str], series: Sequence[Mapping[str, str]], until_s: int) -> list[Instant]:
    """Return what fires at each evaluation up to `until_s`, as promtool evaluates the rules."""
    times = range(0, until_s + 1, STEP_S)
    asked = [{"expr": 'ALERTS{alertstate="firing"}', "eval_time": f"{at_s}s"} for at_s in times]
    names = [each["name"] for text in rule_files.values() for each in yaml.safe_load(text)["groups"]]
    test = {
        "rule_files": sorted(rule_files),
        # A real group has an offset of its own: followers see what they follow, and tell it later (see `_tell`).
        "group_eval_order": sorted(names, key=lambda name: name.startswith(followers.GROUP)),
        "evaluation_interval": f"{STEP_S}s",
        "tests": [{"interval": "1m", "input_series": list(series), "promql_expr_test": asked}],
    }
    with tempfile.TemporaryDirectory(prefix="llmslo-alerts-") as name:
        folder = Path(name)
        for path, text in rule_files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
        (folder / "test.yaml").write_text(yaml.safe_dump(test))
        said = _failures(folder)
    return [Instant(at_s, said.get(at_s, frozenset())) for at_s in times]


def _failures(folder: Path) -> dict[int, frozenset[Labels]]:
    """Run the test, which expects nothing and so fails wherever something fires, and read what it got instead."""
    done = subprocess.run(
        ["promtool", "test", "rules", "test.yaml"],
        cwd=folder,
        check=False,
        capture_output=True,
        text=True,
        timeout=PROMTOOL_S,
    )
    found = {}
    for part in (done.stdout + done.stderr).split("    expr: ")[1:]:
        head, got = part.split("got: ", 1)
        at = re.search(r", time: ([^,]+),", head)
        if at is None or "{" not in got:
            msg = f"promtool: {part.strip()[:300]}"
            raise BackendError(msg)
        at_s = int(durations.parse(at[1]) or 0)
        found[at_s] = alerts_in(got)
    if not found and done.returncode:
        msg = f"promtool: {(done.stderr or done.stdout).strip()[-1000:]}"
        raise BackendError(msg)
    return found


def alerts_in(got: str) -> frozenset[Labels]:
    """Return the label sets of what promtool printed, without what is the same for all."""
    return frozenset(_labels(text) for text in re.findall(r"\{((?:[^\"}]|\"(?:[^\"\\]|\\.)*\")*)\}", got))


def _labels(text: str) -> Labels:
    pairs = re.findall(r"(\w+)=(\"(?:[^\"\\]|\\.)*\")", text)
    return frozenset((name, json.loads(value)) for name, value in pairs if name not in {"__name__", "alertstate"})


def counters(model: str, stretches: Iterable[Stretch]) -> list[dict[str, str]]:
    """Return promtool series of a counter of good and bad events, sampled every minute."""
    parts = [(each.minutes, round(each.per_minute * each.bad), each.per_minute) for each in stretches]
    bad = _values([(minutes, bad) for minutes, bad, _ in parts])
    good = _values([(minutes, total - bad) for minutes, bad, total in parts])
    return [
        {"series": f'events_total{{model="{model}",result="{result}"}}', "values": values}
        for result, values in (("bad", bad), ("good", good))
    ]


def _values(parts: Iterable[tuple[int, int]]) -> str:
    """Return promtool's notation: whole numbers, because a rounded sum that falls by a hair is a counter's reset."""
    texts, value = [], 0
    for minutes, step in parts:
        texts.append(f"{value + step}+{step}x{minutes - 1}")
        value += step * minutes
    return " ".join(texts)


class Alertmanager:
    """The HTTP API of a running Alertmanager."""

    def __init__(self, port: int) -> None:
        self._port = port

    def is_ready(self) -> bool:
        """Whether it answers."""
        try:
            return self._ask("GET", "/-/ready") == 200
        except OSError:
            return False

    def post(self, alerts: Sequence[tuple[Labels, datetime, datetime]]) -> None:
        """Tell it labels, begin and end of alerts, as Prometheus does: all of an evaluation at once."""
        body = [
            {"labels": dict(labels), "startsAt": began.isoformat(), "endsAt": ends.isoformat()}
            for labels, began, ends in alerts
        ]
        status = self._ask("POST", "/api/v2/alerts", json.dumps(body))
        if status != 200:
            msg = f"alertmanager answered {status} to {body}"
            raise BackendError(msg)

    def _ask(self, method: str, path: str, body: str | None = None) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=POST_S)
        try:
            connection.request(method, path, body, {"content-type": "application/json"})
            return connection.getresponse().status
        finally:
            connection.close()


@contextmanager
def alertmanager(configuration: str) -> Iterator[Alertmanager]:
    """Run a real Alertmanager with `configuration`, which amtool must accept."""
    with tempfile.TemporaryDirectory(prefix="llmslo-alertmanager-") as name:
        folder, port = Path(name), free_port()
        path, log = folder / "alertmanager.yml", folder / "alertmanager.log"
        path.write_text(configuration)
        run("amtool", "check-config", path, timeout_s=READY_S)
        command = [
            *("prometheus-alertmanager", f"--config.file={path}", f"--storage.path={folder / 'data'}"),
            *(f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=", "--log.level=warn"),
        ]
        with log.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=out) as process:
            try:
                server, deadline = Alertmanager(port), time.monotonic() + READY_S
                while not server.is_ready():
                    if process.poll() is not None or time.monotonic() > deadline:
                        msg = f"alertmanager: {log.read_text(errors='replace').strip()[-1000:] or 'not ready in time'}"
                        raise BackendError(msg)
                    time.sleep(0.02)
                yield server
            finally:
                process.terminate()
                try:
                    process.wait(STOP_S)
                except subprocess.TimeoutExpired:
                    process.kill()


def replay(server: Alertmanager, instants: Sequence[Instant], scale: float = SCALE) -> None:
    """Tell the Alertmanager every begin and end of an alert; returns when the last could be notified."""
    step_s = STEP_S / scale
    before: frozenset[Labels] = frozenset()
    began: dict[Labels, datetime] = {}
    next_s = time.monotonic()
    quiet = 0
    for instant in instants:
        quiet = 0 if instant.alerts != before else quiet + 1
        if quiet > MOST_STEPS:
            continue
        time.sleep(max(0.0, next_s - time.monotonic()))
        next_s = time.monotonic() + step_s
        _tell(server, began, instant.alerts - before, before - instant.alerts, step_s / 2)
        before = instant.alerts
    time.sleep(MOST_STEPS * step_s)


def _tell(
    server: Alertmanager, began: dict[Labels, datetime], new: Iterable[Labels], old: Iterable[Labels], late_s: float
) -> None:
    """Post changes, those of the followers' group half a step later: its offset, of an evaluation every 5 minutes."""
    changes = [(labels, True) for labels in new] + [(labels, False) for labels in old]
    for is_follower in (False, True):
        chosen = [
            change for change in changes if ((catalog.KIND, catalog.ALREADY_NOTIFIED) in change[0]) is is_follower
        ]
        now = datetime.now(UTC)
        told = []
        for labels, fires in sorted(chosen, key=lambda change: (dict(change[0]).get("tier", ""), sorted(change[0]))):
            began.setdefault(labels, now)
            told.append((labels, began[labels], now + timedelta(hours=1) if fires else now))
            if not fires:
                del began[labels]
        if is_follower and told:
            time.sleep(late_s)
        if told:
            server.post(told)


def hear(rendered: str, instants: Sequence[Instant]) -> list[Notification]:
    """Return what the receivers of a rendered configuration hear."""
    with webhook() as there, alertmanager(configuration(rendered, there.url, SCALE)) as server:
        replay(server, instants)
        return list(there.heard)


def notified(incident: Incident) -> list[Notification]:
    """Return what the receivers hear of an incident."""
    files = routing.files([incident.slo])
    return hear(files[EXAMPLE], fired(incident))


def fired(incident: Incident) -> list[Instant]:
    """Return what fires when in an incident, by the rendered rules."""
    slo = incident.slo
    rules = {path: text for path, text in routing.files([slo]).items() if "/rules/" in path}
    rules[f"rules/{slo.service}.yaml"] = yaml_text.rules(groups(slo, sloth=False))
    series = [each for model, stretches in incident.models.items() for each in counters(model, stretches)]
    return timeline(rules, series, incident.until_s)


def counted(heard: Iterable[Notification]) -> dict[str, tuple[int, int]]:
    """Return how often each receiver heard something that fires, and that all is resolved."""
    heard = list(heard)
    return {
        receiver: (
            sum(each.receiver == receiver and each.status == "firing" for each in heard),
            sum(each.receiver == receiver and each.status == "resolved" for each in heard),
        )
        for receiver in sorted({each.receiver for each in heard})
    }


def _alone(*stretches: Stretch) -> dict[str, Sequence[Stretch]]:
    return {"a": stretches}


EXAMPLE = f"{routing.FOLDER}/example.yaml"
DAY_S = 86_400
DAY = 24 * 60  # minutes
HEALTHY = Stretch(DAY // 2, 0)
AFTER = Stretch(DAY // 3, 0)  # longer than any tier goes on
OUTAGE = Stretch(20, 1)
FULL = Stretch(3 * DAY, 0)  # the longest window of a tier: with less, tickets come earlier than pages
PAGED, NOTED = {routing.PAGE: (1, 1)}, {routing.TICKET: (1, 1)}
FAST = Tier("page_fast", Severity.PAGE, 14.4, 3600, 300)
SLOW = Tier("ticket_fast", Severity.TICKET, 3, DAY_S, 7200)
MUST_HOLD = (
    Incident("a 20 min outage", _alone(HEALTHY, OUTAGE, AFTER), PAGED),
    Incident("2 days at 2.5 times the budget", _alone(HEALTHY, Stretch(2 * DAY, 0.0025), AFTER), NOTED),
    Incident(
        "2 days at twice the budget, then an outage",
        _alone(HEALTHY, Stretch(2 * DAY, 0.002), OUTAGE, AFTER),
        PAGED | NOTED,
    ),
    Incident(
        "own tiers, one page and one ticket: a 20 min outage", _alone(HEALTHY, OUTAGE, AFTER), PAGED, tiers=(FAST, SLOW)
    ),
)
FURTHER = (
    Incident("2 days at 7 times the budget: a slow page", _alone(FULL, Stretch(2 * DAY, 0.007), AFTER), PAGED),
    Incident("a slow page that gets fast", _alone(FULL, Stretch(DAY, 0.008), Stretch(30, 1), AFTER), PAGED),
    Incident(
        "an outage, recovered, and once more after 10 minutes",
        _alone(HEALTHY, OUTAGE, Stretch(10, 0), OUTAGE, AFTER),
        {routing.PAGE: (2, 2)},
    ),
    Incident(
        "an outage that goes on as a slow burn",
        _alone(HEALTHY, OUTAGE, Stretch(DAY, 0.004), AFTER),
        PAGED | NOTED,
    ),
    Incident("95 %: 2 hours of outage", _alone(HEALTHY, Stretch(120, 1), AFTER), PAGED, Decimal(95)),
    Incident("80 %: 3 hours of outage", _alone(HEALTHY, Stretch(180, 1), AFTER), PAGED, Decimal(80)),
    Incident("80 %: 2 days at 1.5 times the budget", _alone(HEALTHY, Stretch(2 * DAY, 0.3), AFTER), NOTED, Decimal(80)),
    Incident(
        "two models out at once",
        {"a": (HEALTHY, OUTAGE, AFTER), "b": (HEALTHY, OUTAGE, AFTER)},
        PAGED,
    ),
    Incident(
        "one model burns slowly while another one is out",
        {"a": (HEALTHY, OUTAGE, AFTER), "b": (HEALTHY, Stretch(2 * DAY, 0.0025), AFTER)},
        PAGED | NOTED,
    ),
)


def main() -> int:
    """Print what each incident brings; return 1 where it is not what it must be."""
    failed = 0
    for incident in (*MUST_HOLD, *FURTHER):
        heard = notified(incident)
        found = counted(heard)
        right = found == incident.expected
        failed += not right
        print(f"{'ok  ' if right else 'FAIL'} {incident.name}: {_shown(found) or 'nothing'}", flush=True)
        if not right:
            print(f"     expected {_shown(incident.expected)}")
            for each in heard:
                print(f"     {each.receiver} {each.status}: {_tiers(each.firing)} | {_tiers(each.resolved)}")
    print(f"{len(MUST_HOLD) + len(FURTHER) - failed} of {len(MUST_HOLD) + len(FURTHER)} as they must be")
    return 1 if failed else 0


def _shown(found: Mapping[str, tuple[int, int]]) -> str:
    return ", ".join(f"{receiver} {firing} firing {over} resolved" for receiver, (firing, over) in found.items())


def _tiers(alerts: Iterable[Mapping[str, str]]) -> str:
    return " ".join(labels.get("tier") or labels.get("kind", "?") for labels in alerts)


if __name__ == "__main__":
    sys.exit(main())
