"""Drive a seeded mix of streams past a running exporter and compare every exchange with what both sides saw.

`python -m tests.e2e.streams --streams 1000 [--loader libbpf|bcc|both] [--seed N] [--json]`

Half of the streams run, the exporter is restarted while some are under way, and the other half runs. Exit 0: every
stream was reported once per role with the truth, TTFT within the contract's bound, and those under way as mid_stream.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.e2e import clients, verdict
from tests.e2e.answers import After, Answer, chat
from tests.e2e.clients import Job, Result
from tests.e2e.daemon import ROOT, Exporter, NotSeenError, kernel_is_open
from tests.e2e.lab import Lab, laboratory
from tests.e2e.scenarios import Scenario, mix
from tests.e2e.taps import Flight

LOADERS = ("libbpf", "bcc")
# 18 sync lanes, 32 async ones and 3 programs at a time: 40 connections and more are busy at once.
SYNC_PROCESSES, SYNC_LANES = 3, 6
ASYNC_PROCESSES, ASYNC_LANES = 2, 16
PROGRAMS_AT_ONCE = 3
UNDER_WAY = 12
# A half takes 10 to 30 s on two idle cores.
DRIVE_S = 240.0
REPORT_S = 12.0
SHOWN_WRONG = 25
RIGHT_SHARE = 0.99
CLIENT_KINDS = {"sync": (*clients.SYNC, "process"), "async": clients.ASYNC}


@dataclass(frozen=True, slots=True)
class Planned:
    """A scenario with its job: what was asked of whom."""

    scenario: Scenario
    job: Job
    client: str


@dataclass(slots=True)
class Report:
    """What one loader's trial found."""

    loader: str
    streams: int = 0
    right: int = 0
    wrong: list[dict[str, Any]] = field(default_factory=list)
    ttft: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    ready_s: list[float] = field(default_factory=list)
    peak: int = 0
    mid_stream: tuple[int, float] = (0, 0.0)  # under way, counted
    lost: float = 0.0
    strangers: int = 0  # lines of no stream of the trial
    restart_wrong: int = 0  # streams reported though seen half, or wrong on the connections that lived on
    wall_s: float = 0.0

    def within(self, kind: str) -> bool:
        """Whether 99 % of the TTFT errors are within the contract's bound."""
        pairs = self.ttft.get(kind, [])
        return sum(error <= bound for error, bound in pairs) >= RIGHT_SHARE * len(pairs)

    def is_good(self) -> bool:
        """Whether the trial passes."""
        under_way, counted = self.mid_stream
        is_counted = under_way <= counted <= 2 * under_way
        kinds = all(self.within(kind) for kind in CLIENT_KINDS)
        return self.right == self.streams and kinds and is_counted and not self.strangers and not self.restart_wrong


def plan(lab: Lab, rng: random.Random, scenarios: Sequence[Scenario], label: str) -> list[Planned]:
    """Publish every scenario and choose its client and transport."""
    planned = []
    for scenario in scenarios:
        client = rng.choice(scenario.clients)
        tls = rng.random() < 0.6
        server = lab.forking if scenario.forking else lab.server
        model = lab.new(f"{label}-{scenario.name.replace(' ', '-').translate(_UNSAFE)}", *scenario.attempts)
        last = scenario.attempts[-1]
        stop = last.marks[scenario.leave_at - 1].at if scenario.leave_at else None
        is_raw = client in ("raw", "raw-async", "process")
        job = Job(
            model,
            client,
            server.port(tls=tls),
            tls,
            lab.cert,
            # One byte more than there is makes a client wait for the server to close.
            len(last.data) + (last.after is not After.KEEP),
            stream=scenario.stream,
            stop_bytes=stop if is_raw else None,
            stop_items=None if is_raw else scenario.leave_at,
            keep=scenario.keep,
            retries=scenario.retries,
            model_first=rng.random() < 0.5,
            prompt=rng.choice(("hi", "a longer question " * 40, "x" * 5000)),
            end=scenario.end,
        )
        planned.append(Planned(scenario, job, client))
    return planned


_UNSAFE = str.maketrans("", "", ",[]")


def _worker(jobs: Sequence[Job], lanes: int, *flags: str) -> list[Result]:
    command = [sys.executable, "-m", "tests.e2e.lanes", "--lanes", str(lanes), *flags]
    lines = "".join(json.dumps(asdict(job)) + "\n" for job in jobs)
    try:
        done = subprocess.run(
            command, input=lines, stdout=subprocess.PIPE, text=True, timeout=DRIVE_S, cwd=ROOT, check=False
        )
        out = done.stdout
    except subprocess.TimeoutExpired as late:
        out = late.stdout.decode() if isinstance(late.stdout, bytes) else late.stdout or ""
    return [clients.result_from(line) for line in out.splitlines() if line.endswith("}")]


def drive(planned: Sequence[Planned]) -> dict[str, Result]:
    """Run every job, 40 and more at a time, and return the clients' own stories by model."""
    jobs = [item.job for item in planned]
    sync = [job for job in jobs if job.client in clients.SYNC]
    loops = [job for job in jobs if job.client in clients.ASYNC]
    with ThreadPoolExecutor(16) as pool, ThreadPoolExecutor(PROGRAMS_AT_ONCE) as programs:
        groups = [pool.submit(_worker, sync[n::SYNC_PROCESSES], SYNC_LANES) for n in range(SYNC_PROCESSES)]
        groups += [
            pool.submit(_worker, loops[n::ASYNC_PROCESSES], ASYNC_LANES, "--async") for n in range(ASYNC_PROCESSES)
        ]
        singles = [
            programs.submit(clients.run_process if job.client == "process" else clients.run_program, job)
            for job in jobs
            if job.client in (*clients.PROGRAMS, "process")
        ]
        results = [result for group in groups for result in group.result()]
        results += [single.result() for single in singles]
    return {result.model: result for result in results}


def _attempts(lab: Lab, item: Planned, result: Result) -> Iterable[tuple[Answer, Flight | None, Flight | None, int]]:
    """Per attempt: the answer, both sides' stamps, the server's pid."""
    for number, answer in enumerate(item.scenario.attempts):
        served = lab.served(item.job.model, number)
        mine = result.flights[number] if number < len(result.flights) else None
        yield answer, mine, served.flight if served else None, served.pid if served else 0


def judge(report: Report, lab: Lab, exporter: Exporter, item: Planned, result: Result | None) -> list[str]:
    """Compare both roles' lines of one stream with the truth; what differs."""
    job = item.job
    if result is None:
        return ["the client gave no result"]
    wrong: list[str] = []
    count = len(item.scenario.attempts)
    told: dict[str, list[Mapping[str, Any]]] = {}
    for role in ("client", "server"):
        try:
            told[role] = sorted(exporter.expect(job.model, role, count, 0.0), key=lambda line: float(line["start_s"]))
        except NotSeenError as missing:
            wrong.append(str(missing))
            told[role] = []
        if len(told[role]) > count:
            wrong.append(f"{role}: {len(told[role])} lines, want {count}")
    leaves = item.scenario.leave_at is not None
    for number, (answer, mine, theirs, pid) in enumerate(_attempts(lab, item, result)):
        for role, flight, owner in (("client", mine, result.pid), ("server", theirs, pid)):
            if number >= len(told[role]):
                continue
            want = verdict.expected(answer, role, tls=job.tls, flight=flight, leaves=leaves, pid=owner)
            line = told[role][number]
            wrong += [f"{role}: {text}" for text in verdict.differences(want, line)]
            _note_ttft(report, item.client, role, want, line)
    return wrong


def _note_ttft(report: Report, client: str, role: str, want: verdict.Expected, line: Mapping[str, Any]) -> None:
    pair = verdict.ttft_error_s(want, line)
    if pair is None:
        return
    kind = "server" if role == "server" else next((k for k, names in CLIENT_KINDS.items() if client in names), "other")
    report.ttft.setdefault(kind, []).append(pair)


def judge_all(
    report: Report, lab: Lab, exporter: Exporter, planned: Sequence[Planned], results: Mapping[str, Result]
) -> None:
    """Wait (bounded) until the last lines are in, then judge every stream."""
    until_s = time.monotonic() + REPORT_S
    for item in planned:
        for role in ("client", "server"):
            left_s = until_s - time.monotonic()
            if left_s <= 0:
                break
            try:
                exporter.expect(item.job.model, role, len(item.scenario.attempts), left_s)
            except NotSeenError:
                continue
    for item in planned:
        wrong = judge(report, lab, exporter, item, results.get(item.job.model))
        report.streams += 1
        report.right += not wrong
        if wrong:
            where = "tls" if item.job.tls else "plain"
            report.wrong.append(
                {
                    "scenario": item.scenario.name,
                    "client": item.client,
                    "over": where,
                    "wrong": wrong,
                    "id": item.job.model,
                }
            )
    known = {item.job.model for item in planned}
    pids = {lab.server.pid, *(result.pid for result in results.values())}
    report.strangers += exporter.count_strangers(known, pids)
    report.peak = max(report.peak, _peak(results.values()))
    report.lost += exporter.metric("llm_exporter_events_lost_total")


def _peak(results: Iterable[Result]) -> int:
    """The most flights that were under way at once."""
    edges: list[tuple[float, int]] = []
    for result in results:
        for flight in result.flights:
            if flight.reads:
                edges += [(flight.start_s, 1), (flight.reads[-1][0], -1)]
    now = peak = 0
    for _, step in sorted(edges):
        now += step
        peak = max(peak, now)
    return peak


class UnderWay:
    """Streams that are half-way while the exporter is restarted, on connections that serve another one after."""

    def __init__(self, lab: Lab, loader: str) -> None:
        self._lab = lab
        self._gate = lab.model(f"gate-{loader}")
        whole = chat(30, 2.0, usage=(5, 30))
        held = list(whole.writes)
        held[12] = replace(held[12], gate=self._gate)
        self.streams = replace(whole, writes=tuple(held))
        self.models = [lab.new(f"{loader}-under-way", self.streams) for _ in range(UNDER_WAY)]
        self._next = Scenario("after mid_stream", (chat(9, 3.0, usage=(5, 9)),))
        self.planned = [
            Planned(self._next, self._job(lab.new(f"{loader}-next", *self._next.attempts), number), "raw")
            for number in range(UNDER_WAY)
        ]
        first = [self._job(model, number) for number, model in enumerate(self.models)]
        jobs = [*first, *(item.job for item in self.planned)]
        self.results: dict[str, Result] = {}
        self._thread = threading.Thread(target=self._run, args=(jobs,))

    def _job(self, model: str, number: int) -> Job:
        tls = number % 2 == 0
        total = len(self.streams.data) if "under-way" in model else len(self._next.attempts[0].data)
        return Job(model, "raw", self._lab.server.port(tls=tls), tls, self._lab.cert, total)

    def _run(self, jobs: Sequence[Job]) -> None:
        # One process per transport, so that a lane's second job finds the first one's connection.
        with ThreadPoolExecutor(2) as pool:
            halves = [pool.submit(_worker, jobs[n::2], UNDER_WAY // 2) for n in range(2)]
            for half in halves:
                self.results |= {result.model: result for result in half.result()}

    def start(self) -> None:
        """Start the streams and wait until each is half-way (bounded)."""
        self._thread.start()
        self._lab.wait_at_gate(self._gate, UNDER_WAY)

    def finish(self) -> None:
        """Let the streams go on to their end, and the next ones run."""
        self._lab.open_gate(self._gate)
        self._thread.join(DRIVE_S)


def restart(report: Report, lab: Lab, exporter: Exporter, folder: Path) -> Exporter:
    """Replace the exporter while streams are under way; the new one is judged on what follows on their connections."""
    under_way = UnderWay(lab, report.loader)
    under_way.start()
    exporter.stop()
    fresh = Exporter(report.loader, folder)
    try:
        report.ready_s.append(fresh.wait_ready())
        under_way.finish()
        guessed = [model for model in under_way.models for role in ("client", "server") if fresh.lines(model, role)]
        if guessed:
            report.wrong.append({"scenario": "under way", "wrong": [f"reported though seen half: {len(guessed)}"]})
            report.restart_wrong += len(guessed)
        before = Report(report.loader)
        judge_all(before, lab, fresh, under_way.planned, under_way.results)
        report.wrong += before.wrong
        report.restart_wrong += len(before.wrong)
        report.mid_stream = (UNDER_WAY, _settled_mid_stream(fresh))
    except BaseException:
        fresh.stop()
        raise
    fresh.forget()
    return fresh


def _settled_mid_stream(exporter: Exporter) -> float:
    until_s = time.monotonic() + 5
    counted = 0.0
    while time.monotonic() < until_s and counted < 2 * UNDER_WAY:
        counted = exporter.metric("llm_exporter_unparsed_connections_total", reason="mid_stream")
        time.sleep(0.1)
    return counted


def trial(loader: str, lab: Lab, streams: int, seed: int, folder: Path) -> Report:
    """Both halves and the restart between them, for one loader."""
    report = Report(loader)
    began_s = time.monotonic()
    rng = random.Random(seed)
    planned = plan(lab, rng, mix(rng, streams), loader)
    exporter = Exporter(loader, folder)
    try:
        report.ready_s.append(exporter.wait_ready())
        half = len(planned) // 2
        judge_all(report, lab, exporter, planned[:half], drive(planned[:half]))
        exporter = restart(report, lab, exporter, folder)
        judge_all(report, lab, exporter, planned[half:], drive(planned[half:]))
    finally:
        exporter.stop()
    report.wall_s = time.monotonic() - began_s
    return report


def _errors_line(name: str, pairs: Sequence[tuple[float, float]], *, is_within: bool) -> str:
    errors = sorted(error for error, _ in pairs)
    if not errors:
        return f"  TTFT error, {name:6}: none measured"
    p99 = errors[min(len(errors) - 1, int(len(errors) * 0.99))]
    numbers = f"p50 {statistics.median(errors) * 1000:.2f} ms, p99 {p99 * 1000:.2f} ms, max {errors[-1] * 1000:.2f} ms"
    return f"  TTFT error, {name:6}: {numbers} over {len(errors)}; {'within' if is_within else 'OUTSIDE'} 5 ms or 2 %"


def show(report: Report) -> None:
    """Print a trial's result; numbers and scenario names only."""
    ready = ", ".join(f"{ready_s:.1f} s" for ready_s in report.ready_s)
    print(f"{report.loader}: {report.right}/{report.streams} right in {report.wall_s:.0f} s (ready after {ready})")
    for name in (*CLIENT_KINDS, "server"):
        print(_errors_line(name, report.ttft.get(name, []), is_within=report.within(name)))
    under_way, counted = report.mid_stream
    print(
        f"  restarted half-way: {under_way} under way, mid_stream counted {counted:g} (once or twice each),"
        f" wrong {report.restart_wrong}"
    )
    print(f"  at once: {report.peak} stamped flights; events lost: {report.lost:g}; strangers: {report.strangers}")
    if not report.wrong:
        return
    counts = Counter(str(item["scenario"]) for item in report.wrong)
    print("  wrong by scenario: " + ", ".join(f"{name} {count}" for name, count in counts.most_common()))
    for item in report.wrong[:SHOWN_WRONG]:
        where = f"{item.get('client', '')} over {item.get('over', '')} {item.get('id', '')}"
        print(f"    {item['scenario']:24} {where}: {'; '.join(item['wrong'])}")


def main() -> int:
    """Run the trial for each loader; 0 when all is right."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--loader", choices=(*LOADERS, "both"), default="both")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    closed = kernel_is_open()
    if closed:
        print(f"cannot run: {closed}", file=sys.stderr)
        return 2
    reports = []
    for loader in LOADERS if args.loader == "both" else (args.loader,):
        with tempfile.TemporaryDirectory() as folder, laboratory(Path(folder)) as lab:
            report = trial(loader, lab, args.streams, args.seed, Path(folder))
        reports.append(report)
        if not args.json:
            show(report)
    if args.json:
        print(json.dumps([{**asdict(report), "good": report.is_good()} for report in reports]))
    return 0 if all(report.is_good() for report in reports) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except NotSeenError as failure:
        sys.exit(str(failure))
