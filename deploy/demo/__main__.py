"""`make demo`: hold what clients saw against Prometheus, then break the model server and see the right page come.

Exit 1 when the two sides disagree or an alert does not come, does not go, or comes twice.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from types import FrameType

from deploy.demo import incident, queries, stage
from deploy.demo.children import Children, DemoError, wait_exit
from deploy.demo.clients.asking import PROMPTS
from deploy.demo.measured import Measured, parse
from deploy.demo.prometheus import query
from deploy.demo.stage import Stage
from deploy.demo.verdict import Seen, by_client, by_kernel, disagreements, hops_missing, table

EXCHANGES = 4  # a client
MAX_TOKENS = 24  # with six clients about 25 s on two free cores, and two minutes where the model gets a tenth of one
LEAVE_AFTER = 5
CLIENT_LIMIT_S = 90.0
RUN_LIMIT_S = 130.0  # all clients; the demo promises to end within four minutes, and an incident takes one
SCRAPED_LIMIT_S = 20.0  # an ended exchange is in /metrics within 2 s, and scraped 1 s later
CACHE = Path(".cache")


def main() -> int:
    """Return 0 when client and kernel agree, 1 when they do not or something did not start."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave everything running at the end")
    keep = parser.parse_args().keep
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    folder = Path(tempfile.mkdtemp(prefix="llmslo-demo-"))
    children = Children(folder)
    kept = False
    try:
        there = stage.build(folder, CACHE, children, say)
        own = run_clients(there, children)
        agreed = compare_sides(there, own)
        incident.perform(there, children, own, say)
        if keep:
            kept = True
            print(how_to_go_on(there, children))
    except DemoError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("demo: stopped", file=sys.stderr)
        return 130
    finally:
        if not kept:
            children.stop()
            shutil.rmtree(folder, ignore_errors=True)
    return 0 if agreed else 1


def say(text: str) -> None:
    print(f"* {text}", flush=True)


def compare_sides(there: Stage, own: dict[str, list[Measured]]) -> bool:
    """Print the table and the queries; return whether clients and kernel agree."""
    say("waiting until Prometheus has scraped the last exchange")
    wait_scraped(there, sum(len(measured) for measured in own.values()), set(own))
    rows = compare(there, own)
    print(f"\n{table(rows)}\n")
    for title, promql in queries.SHOWN.items():
        print(f"# {title}\n{promql}")
    print_facts(there)
    found = [line for client, (mine, kernel) in rows.items() for line in disagreements(client, mine, kernel)]
    found += hops_missing(query(there.prometheus, queries.HOPS), sum(len(measured) for measured in own.values()))
    found += in_flight(there)
    for line in found:
        print(f"DISAGREE {line}")
    print(f"\nclients and kernel {'disagree' if found else 'agree'}\n")
    return not found


def run_clients(there: Stage, children: Children) -> dict[str, list[Measured]]:
    """Return what each client measured, by the name under which the exporter knows its process."""
    deadline = time.monotonic() + RUN_LIMIT_S
    own = {}
    for workload, command in client_commands(there).items():
        say(f"{workload}: {EXCHANGES} streams of {MAX_TOKENS} tokens")
        child = children.start(workload, command, {"NODE_EXTRA_CA_CERTS": str(there.cert)})
        limit_s = min(CLIENT_LIMIT_S, max(1.0, deadline - time.monotonic()))
        own[workload] = parse(wait_exit(child, limit_s))
    return own


def client_commands(there: Stage) -> dict[str, list[str | Path]]:
    module = "deploy.demo.clients"
    words: list[str | Path] = [there.api, there.cert, queries.MODEL, str(EXCHANGES), str(MAX_TOKENS)]
    node = shutil.which("node")
    if node is None:
        msg = "no `node` in PATH: `make setup` installs it"
        raise DemoError(msg)
    script = Path(__file__).parent / "clients" / "node_fetch.mjs"
    pythons = there.pythons
    return {
        "openai-sync": [pythons["openai-sync"], "-m", f"{module}.openai_sync", *words],
        "openai-async": [pythons["openai-async"], "-m", f"{module}.openai_async", *words],
        "openai-cancel": [pythons["openai-cancel"], "-m", f"{module}.openai_sync", *words, str(LEAVE_AFTER)],
        "httpx": [pythons["httpx"], "-m", f"{module}.httpx_lines", *words],
        "curl": [pythons[stage.CURL_DRIVER], "-m", f"{module}.curl_trace", *words],
        Path(node).resolve().name: [node, script, there.api, *words[2:], json.dumps(PROMPTS)],
    }


def wait_scraped(there: Stage, expected: int, workloads: set[str]) -> None:
    """Return when Prometheus has `expected` exchanges, or after the limit: then the table says what is missing."""
    deadline = time.monotonic() + SCRAPED_LIMIT_S
    while time.monotonic() < deadline:
        samples = query(there.prometheus, queries.EXCHANGES)
        if sum(one.value for one in samples if one.labels.get("workload") in workloads) >= expected:
            return
        time.sleep(0.2)


def compare(there: Stage, own: dict[str, list[Measured]]) -> dict[str, tuple[Seen, Seen]]:
    answers = [
        query(there.prometheus, promql)
        for promql in (queries.EXCHANGES, queries.TTFT, queries.TTFT_COUNT, queries.TOKENS)
    ]
    return {client: (by_client(measured), by_kernel(client, *answers)) for client, measured in own.items()}


def print_facts(there: Stage) -> None:
    """Print what has no counterpart at the clients: how streams ended, every hop, requests in flight."""
    for promql in (queries.STREAMS, queries.HOPS, queries.MOST_IN_FLIGHT, queries.IN_FLIGHT):
        print(f"\n{promql}")
        for sample in sorted(query(there.prometheus, promql), key=lambda one: sorted(one.labels.items())):
            labels = ", ".join(f'{name}="{value}"' for name, value in sorted(sample.labels.items()))
            print(f"  {{{labels}}} {sample.value:g}")


def in_flight(there: Stage) -> list[str]:
    """Return what is wrong with the gauge: it must have seen a stream under way, and see none now."""
    most = sum(sample.value for sample in query(there.prometheus, queries.MOST_IN_FLIGHT))
    now = sum(sample.value for sample in query(there.prometheus, queries.IN_FLIGHT))
    found = []
    if most < 1:
        found.append("in flight: the clients streamed for seconds, and no scrape saw a request under way")
    if now > 0:
        found.append(f"in flight: every client has ended, and {now:g} requests are still said to be under way")
    return found


def how_to_go_on(there: Stage, children: Children) -> str:
    pids = " ".join(map(str, children.pids))
    return (
        f"\nstill running:\n"
        f"  model       {there.api} (certificate {there.cert})\n"
        f"  /metrics    http://{there.exporter}/metrics\n"
        f"  Prometheus  {there.prometheus} (rules: {there.rendered})\n"
        f"  Alertmanager http://{there.alertmanager}\n"
        f"to stop it: kill {pids}; rm -rf {there.folder}"
    )


def _end(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
