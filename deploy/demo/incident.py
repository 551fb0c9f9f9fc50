"""The end of the demo: SLOs over what was measured, a fault, the page that it brings, the repair, and the all-clear."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from deploy.demo import alertmanager, prometheus, queries, slos, stage
from deploy.demo.children import Child, Children, DemoError, wait_ready
from deploy.demo.measured import Measured
from deploy.demo.slow import slowed
from deploy.demo.stage import Stage
from deploy.demo.webhook import Notification, Webhook, webhook
from llmslo_rulegen import routing

PERIOD_S = 0.8  # between the questions of the steady client
FASTER = (
    60  # Alertmanager's timers: half a second instead of 30 until a page, 5 seconds instead of 5 minutes between news
)
SLOWER = 3  # times the threshold: what the first token takes while the server is slowed
RENDER_LIMIT_S = 30.0
FIRE_LIMIT_S = 45.0
RESOLVE_LIMIT_S = 60.0
HEALTHY_S = slos.LONG_S + 3  # the long window full of good answers, and a scrape

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class _Fault:
    """What is broken, since when, and the SLO that must notice."""

    slo: str
    began_s: float

    def is_page(self, heard: Notification) -> bool:
        return heard.receiver == routing.PAGE and any(labels["slo"] == self.slo for labels in heard.firing)

    def is_over(self, heard: Notification) -> bool:
        return (
            heard.receiver == routing.PAGE
            and heard.status == "resolved"
            and any(labels["slo"] == self.slo for labels in heard.resolved)
        )


def perform(there: Stage, children: Children, own: Mapping[str, Iterable[Measured]], say: Say) -> None:
    """Render, break, wait for the pages, repair, wait for the all-clear; raise DemoError when one does not come."""
    usual_s = statistics.median(one.ttft_s for measured in own.values() for one in measured)
    limit_s = slos.threshold_s(usual_s)
    say(f"SLOs: first token within {limit_s:g} s (it took {usual_s:.3f} s so far), and no errors, for 90 % of requests")
    rendered = render(there, limit_s)
    with ExitStack() as stack:
        hook = stack.enter_context(webhook())
        _alertmanager(there, children, rendered, hook)
        prometheus.reload(there.prometheus)
        say(f"rendered by llmslo-rulegen, loaded by Prometheus: {prometheus.rules(there.prometheus)} rules")
        say(
            f"windows scaled for the demo: {slos.LONG_S:.0f} s and 5 s instead of an hour and 5 minutes,"
            f" Alertmanager's timers divided by {FASTER}"
        )
        words: list[str | Path] = [there.api, there.cert, queries.MODEL, str(PERIOD_S)]
        children.start(stage.STEADY, [there.pythons[stage.STEADY], "-m", "deploy.demo.clients.steady", *words])
        say(f"a steady user, a question every {PERIOD_S:g} s: {HEALTHY_S:.0f} s of good answers")
        time.sleep(HEALTHY_S)
        _break_and_repair(there, children, hook, say, times=SLOWER * limit_s / usual_s)


def _break_and_repair(there: Stage, children: Children, hook: Webhook, say: Say, times: float) -> None:
    say(f"fault: the model server gets 1/{times:.0f} of its time")
    slow = _Fault(slos.FIRST_TOKEN, time.monotonic())
    with slowed(there.server.process.pid, times):
        _print_page(slow, _paged(hook, slow))
    say("fault: the model server is stopped")
    stopped = _Fault(slos.AVAILABILITY, time.monotonic())
    children.end(there.server)
    _print_page(stopped, _paged(hook, stopped))
    say("repair: the model server is started again")
    repaired_s = time.monotonic()
    stage.start_server(there, children)
    for fault in (slow, stopped):
        over = hook.wait(fault.is_over, RESOLVE_LIMIT_S)
        if over is None:
            msg = f"{slos.ALERTS[fault.slo]} was not resolved {RESOLVE_LIMIT_S:.0f} s after the repair"
            raise DemoError(msg)
        print(f"  RESOLVED {slos.ALERTS[fault.slo]}: {over.at_s - repaired_s:.1f} s after the repair")
    print(f"\n{_summary(hook.heard)}")


def _paged(hook: Webhook, fault: _Fault) -> Notification:
    found = hook.wait(fault.is_page, FIRE_LIMIT_S)
    if found is None:
        heard = ", ".join(labels["alertname"] for each in hook.heard for labels in each.firing) or "nothing"
        msg = f"no page of {slos.ALERTS[fault.slo]} {FIRE_LIMIT_S:.0f} s after the fault; heard: {heard}"
        raise DemoError(msg)
    return found


def _print_page(fault: _Fault, page: Notification) -> None:
    for labels in page.firing:
        print(f"  FIRING {labels['alertname']}: {page.at_s - fault.began_s:.1f} s after the fault, to {page.receiver}")
        for name in sorted(labels.keys() - {"alertname"}):
            print(f"    {name}={labels[name]}")


def _summary(heard: Iterable[Notification]) -> str:
    """Return who was told how often: one incident is one page and one all-clear, the tickets that follow it are not."""
    counts: dict[tuple[str, str], int] = {}
    for each in heard:
        for _ in (*each.firing, *each.resolved):
            counts[each.receiver, each.status] = counts.get((each.receiver, each.status), 0) + 1
    told = ", ".join(f"{receiver} {count} {status}" for (receiver, status), count in sorted(counts.items()))
    return f"notifications of two incidents: {told}"


def render(there: Stage, limit_s: float) -> Path:
    """Return the folder that `llmslo-rulegen render` filled and `check` accepted."""
    file, out = there.folder / "slo.yaml", there.rendered
    file.write_text(slos.slo_file(queries.MODEL, stage.STEADY, limit_s))
    command = Path(sys.executable).parent / "llmslo-rulegen"
    for verb in ("render", "check"):
        words: list[str | Path] = [command, verb, file, "--out", out, "--no-tests"]
        done = subprocess.run(words, check=False, capture_output=True, text=True, timeout=RENDER_LIMIT_S)
        if done.returncode:
            msg = f"llmslo-rulegen {verb}: {(done.stderr or done.stdout).strip()}"
            raise DemoError(msg)
    return out


def _alertmanager(there: Stage, children: Children, rendered: Path, hook: Webhook) -> Child:
    example = (rendered / routing.FOLDER / "example.yaml").read_text()
    file = there.folder / "alertmanager.yml"
    file.write_text(alertmanager.configuration(example, hook.url, FASTER))
    words = [f"--config.file={file}", f"--storage.path={there.folder / 'alertmanager'}", "--cluster.listen-address="]
    words += [f"--web.listen-address={there.alertmanager}", "--log.level=warn"]
    child = children.start("alertmanager", ["prometheus-alertmanager", *words])
    wait_ready(child, f"http://{there.alertmanager}/-/ready", stage.READY_LIMIT_S)
    return child
