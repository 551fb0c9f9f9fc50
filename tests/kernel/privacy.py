"""Canaries: unique strings in prompts, answers and keys that must never come out of the exporter.

`python -m tests.kernel.privacy [--loader libbpf|bcc]` sends them through every answer of every dialect and searches the
pages, the debug log, other commands beside it, what it says when it crashes in several ways, the files it holds open
and the working directory.
"""

from __future__ import annotations

import argparse
import base64
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.e2e.daemon import READY_S, Exporter, NotSeenError, kernel_is_open, program, running
from tests.e2e.lab import Lab, laboratory
from tests.kernel.exposed import expose

WHAT = ("prompt", "answer", "key")
PAGES = ("/metrics", "/healthz", "/readyz", "/", "/metrics?name[]=llm_requests")
# Commands that watch the same exchanges while they take place, a further one is one line; `{port}` is the exporter's.
# They end by SIGINT, but for the one that ends by itself.
COMMANDS: tuple[tuple[str, ...], ...] = (
    ("--once", "30"),
    ("top", "--interval", "1"),
    ("top", "--interval", "1", "--json"),
    ("top", "--interval", "1", "--url", "http://127.0.0.1:{port}/metrics"),
)
ENDS_ITSELF = "--once"
# Others on the node may use up the models of the default: ours would be _other, and not to be seen would prove nothing.
ROOM = ("--limit.models", "2000")
SEEN_S = 30.0
GONE_S = 120.0  # of BCC each probe is a descriptor, and the kernel takes 20 ms to close one
ABORTED = -signal.SIGABRT

# Bugs of ours, each with the texts of an exchange in its exception: where they strike, and what follows.
CRASHES = {
    "parser": "tracer.read = lambda summary, **_: fail(summary)",
    "thread": """
read, seen = tracer.read, []
def note(summary, **more):
    seen.append(summary)
    return read(summary, **more)
tracer.read = note
again = tracer.Tracer._consume
tracer.Tracer._consume = lambda self: fail(seen[0]) if len(seen) > 20 else again(self)
""",
    "scrape": """
read, seen = tracer.read, []
def note(summary, **more):
    seen.append(summary)
    return read(summary, **more)
tracer.read = note
snapshot = exposition.Exposition.snapshot
exposition.Exposition.snapshot = lambda self: fail(seen[0]) if len(seen) > 20 else snapshot(self)
""",
}
_PROGRAM = """
import sys
from llmslo_exporter import exposition, tracer
from llmslo_exporter.__main__ import main
def fail(summary):
    texts = [summary.request_head, summary.request_body, summary.response_head, summary.response_body]
    raise RuntimeError(b" ".join(texts), summary.request_tail, summary.response_tail, *(p.data for p in summary.pieces))
{bug}
sys.argv[0] = "llmslo-exporter"
main()
"""


def canaries() -> dict[str, str]:
    """One fresh string for each thing that must stay secret."""
    return {what: f"canary{secrets.token_hex(12)}" for what in WHAT}


def _spellings(secret: str) -> list[bytes]:
    raw = secret.encode()
    # A part is a leak too: captures cut texts anywhere.
    return [raw[:18], raw[6:], raw.hex().encode(), base64.b64encode(raw)[:16], repr(raw)[2:-1].encode()]


def leaks(marked: Mapping[str, str], texts: Mapping[str, str], folder: Path) -> list[str]:
    """Where a canary, or a good part of one, shows."""
    places = {name: text.encode(errors="replace") for name, text in texts.items()}
    places |= {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return sorted(
        f"{name}: {what}"
        for name, data in places.items()
        for what, secret in marked.items()
        if any(spelling in data for spelling in _spellings(secret))
    )


def open_files(pid: int) -> dict[str, str]:
    """Return the contents of the regular files that a process holds open, and the names of all its descriptors."""
    found = {}
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = str(link.readlink())
            is_file = link.is_file()
            text = link.read_bytes().decode("latin-1") if is_file else ""
        except OSError:  # closed meanwhile, or nothing that can be read
            continue
        found[f"fd {link.name} -> {target}"] = f"{target}\n{text}"
    return found


@contextmanager
def _beside(folder: Path, port: int) -> Iterator[None]:
    """Run the other commands for the length of a block; what they say goes to files of the folder, to be searched.

    The block begins when all that show something at once have done so.
    """
    with ExitStack() as stack:
        started = []
        for number, command in enumerate(COMMANDS):
            out = stack.enter_context((folder / f"{number}{command[0]}.out").open("wb"))
            words = [word.format(port=port) for word in command]
            process = subprocess.Popen([*program(), *ROOM, *words], stdout=out, stderr=subprocess.STDOUT, cwd=folder)
            stack.callback(_ended, process, by_itself=ENDS_ITSELF in command)
            if ENDS_ITSELF not in command:
                started.append((process, Path(out.name)))
        until_s = time.monotonic() + READY_S
        while not all(path.stat().st_size or process.poll() is not None for process, path in started):
            if time.monotonic() > until_s:
                msg = f"{[path.name for _, path in started if not path.stat().st_size]} showed nothing"
                raise NotSeenError(msg)
            time.sleep(0.1)
        yield


def _ended(process: subprocess.Popen[bytes], *, by_itself: bool) -> None:
    if not by_itself:
        process.send_signal(signal.SIGINT)
    try:
        process.wait(READY_S)
    finally:
        process.kill()


def strangers(folder: Path) -> list[str]:
    """Return which commands beside have not seen the exchanges: their silence would prove nothing."""
    return [path.name for path in sorted(folder.glob("*.out")) if b"private-" not in path.read_bytes()]


def _await_exchanges(exporter: Exporter, count: int) -> int:
    """Wait until so many exchanges were reported, for a limit; return how many."""
    until_s = time.monotonic() + SEEN_S
    while time.monotonic() < until_s:
        found = sum('"exchange"' in line for line in list(exporter.raw))
        if found >= count:
            return found
        time.sleep(0.1)
    return sum('"exchange"' in line for line in list(exporter.raw))


def search(loader: str, lab: Lab, folder: Path) -> tuple[int, int, list[str]]:
    """Expose canaries to a healthy exporter: exchanges, exchanges that it reported, and leaks."""
    marked = canaries()
    with running(loader, folder, *ROOM) as exporter, _beside(folder, exporter.port):
        exchanges = expose(lab, marked)
        seen = _await_exchanges(exporter, 2 * exchanges)
        pages = {path: exporter.fetch(path)[1] for path in PAGES}
        files = open_files(exporter.process.pid)
        core = Path(f"/proc/{exporter.process.pid}/coredump_filter").read_text()
        exporter.process.send_signal(signal.SIGABRT)
        code = exporter.process.wait(GONE_S)
        exporter.stop()
    found = leaks(marked, {**pages, **files, "log": "".join(exporter.raw)}, folder)
    found += [f"{name} has not seen the exchanges" for name in strangers(folder)]
    if int(core, 16):
        found.append(f"coredump_filter is {core.strip()}: a core would hold what was read")
    if code != ABORTED:
        found.append(f"exit {code} after SIGABRT")
    return exchanges, seen, found


def crash(loader: str, lab: Lab, folder: Path, bug: str) -> tuple[str, list[str]]:
    """Expose canaries to an exporter with a bug: what it said, and leaks."""
    marked = canaries()
    command = (sys.executable, "-c", _PROGRAM.format(bug=CRASHES[bug]))
    with running(loader, folder, command=command) as exporter:
        expose(lab, marked)
        until_s = time.monotonic() + SEEN_S
        pages = {}
        while "RuntimeError" not in "".join(exporter.raw) and time.monotonic() < until_s:
            try:
                pages = {path: exporter.fetch(path)[1] for path in PAGES}
            except OSError:  # it has ended
                break
            time.sleep(0.2)
        files = open_files(exporter.process.pid) if exporter.process.poll() is None else {}
    said = "".join(exporter.raw)
    return said, leaks(marked, {**pages, **files, "log": said}, folder)


def main() -> int:
    """Expose and search; 0 when nothing shows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--loader", choices=("libbpf", "bcc", "both"), default="both")
    args = parser.parse_args()
    closed = kernel_is_open()
    if closed:
        print(f"cannot run: {closed}", file=sys.stderr)
        return 2
    found: list[str] = []
    for loader in ("libbpf", "bcc") if args.loader == "both" else (args.loader,):
        with tempfile.TemporaryDirectory() as top, laboratory(Path(top)) as lab:
            with tempfile.TemporaryDirectory() as cwd:
                exchanges, seen, here = search(loader, lab, Path(cwd))
            print(f"{loader}: {exchanges} exchanges, {seen} reported (each has two roles): {here or 'no canary'}")
            found += here
            for bug in CRASHES:
                with tempfile.TemporaryDirectory() as cwd:
                    said, here = crash(loader, lab, Path(cwd), bug)
                told = "told" if "its text is not shown" in said else "NOT TOLD"
                print(f"{loader}: a bug in the {bug}, {told}: {here or 'no canary'}")
                found += [*here, *([] if told == "told" else [f"the bug in the {bug} did not strike"])]
    return 1 if found else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except NotSeenError as failure:
        sys.exit(str(failure))
