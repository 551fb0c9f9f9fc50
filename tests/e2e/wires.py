"""Every dialect, streamed and not, over TLS and plaintext, both roles, by a client of our own and by the real SDKs.

`python -m tests.e2e.wires [--loader libbpf|bcc|both] [--short] [--json]`

Exit 0: every exchange was reported once per role with the truth of the bytes.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.e2e import sdks, verdict
from tests.e2e.clients import Raw, request_bytes
from tests.e2e.daemon import Exporter, Line, NotSeenError, kernel_is_open, running
from tests.e2e.dialect_answers import Case, cases
from tests.e2e.lab import Lab, laboratory
from tests.e2e.taps import Flight

LOADERS = ("libbpf", "bcc")
ROLES = ("client", "server")
SEEN_S = 10.0


@dataclass(frozen=True, slots=True)
class Row:
    """One call: who made it over what, and what was wrong of it."""

    case: str
    client: str
    over: str
    stream: bool
    wrong: list[str] = field(default_factory=list)
    error: str | None = None  # of the SDK


class Trial:
    """One loader's calls, one after the other."""

    def __init__(self, lab: Lab, exporter: Exporter) -> None:
        self._lab = lab
        self._exporter = exporter
        self._nameless = 0  # exchanges so far whose bytes name no model
        self._cases = {case.name: case for case in cases()}

    def rows(self, *, is_short: bool) -> Iterator[Row]:
        """Make every call and judge it; in short every answer once, and one call of each SDK."""
        for number, case in enumerate(self._cases.values()):
            for tls in (number % 2 == 0,) if is_short else (True, False):
                yield self._raw(case, tls=tls)
        called: set[str] = set()
        for sdk, name, call in sdks.CALLS:
            if is_short and sdk in called:
                continue
            called.add(sdk)
            for tls in (True,) if is_short else (True, False):
                yield self._sdk(sdk, self._cases[name], call, tls=tls)

    def _publish(self, case: Case) -> str:
        return self._lab.new(case.name.replace(" ", "-").replace(",", ""), case.answer)

    def _raw(self, case: Case, *, tls: bool) -> Row:
        model = self._publish(case)
        body = json.dumps(case.body(model) | ({"stream": True} if case.stream else {})).encode()
        head, body = request_bytes(
            model, path=case.path.replace("{model}", model), body=body, headers=(f"x-script: {model}",)
        )
        conn = Raw(self._lab.server.port(tls=tls), self._lab.cert if tls else None)
        conn.send(head.replace(b"host: localhost", b"host: %b" % case.host.encode()), body)
        conn.read(len(case.answer.data))
        conn.close()
        wrong = self._judge(case, model, tls=tls, flight=conn.flight)
        return Row(case.name, "raw", "tls" if tls else "plain", case.stream, wrong)

    def _sdk(self, sdk: str, case: Case, call: sdks.Call, *, tls: bool) -> Row:
        model = self._publish(case)
        scheme = "https" if tls else "http"
        where = sdks.Where(f"{scheme}://localhost:{self._lab.server.port(tls=tls)}", self._lab.cert)
        error = None
        try:
            call(where, model)
        except Exception as failure:  # noqa: BLE001 - whatever an SDK makes of an error it was sent
            error = type(failure).__name__
        wrong = self._judge(case, model, tls=tls, flight=None)
        if case.answer.truth.stream_outcome == "error_event":  # an SDK may leave as soon as it has read the error
            wrong = [text for text in wrong if "closed_by: want none, got client" not in text]
        return Row(case.name, sdk, "tls" if tls else "plain", case.stream, wrong, error)

    def _judge(self, case: Case, model: str, *, tls: bool, flight: Flight | None) -> list[str]:
        wrong: list[str] = []
        self._nameless += not case.names_model
        for role in ROLES:
            try:
                line = self._line(case, model, role)
            except NotSeenError as missing:
                wrong.append(str(missing))
                continue
            served = self._lab.served(model)
            theirs = flight if role == "client" else served.flight if served else None
            want = verdict.expected(case.answer, role, tls=tls, flight=theirs)
            found = verdict.differences(want, line)
            if line["provider"] != case.provider:
                found.append(f"provider: want {case.provider}, got {line['provider']}")
            wrong += [f"{role}: {text}" for text in found]
        return wrong

    def _line(self, case: Case, model: str, role: str) -> Line:
        if case.names_model:
            return self._exporter.expect(model, role, 1, SEEN_S)[-1]
        return self._exporter.expect(None, role, self._nameless, SEEN_S)[-1]


def trial(loader: str, folder: Path, *, is_short: bool = False) -> list[Row]:
    """Return the rows of one loader."""
    with laboratory(folder) as lab, running(loader, folder) as exporter:
        return list(Trial(lab, exporter).rows(is_short=is_short))


def show(loader: str, rows: list[Row]) -> None:
    """Print a table: a line a case and client, and what was wrong."""
    right = sum(not row.wrong for row in rows)
    print(f"{loader}: {right}/{len(rows)} right, client and server each")
    seen: dict[tuple[str, str, bool], Counter[str]] = {}
    for row in rows:
        marks = seen.setdefault((row.case, row.client, row.stream), Counter())
        marks[row.over] = 0 if row.wrong else 1
    wide = max(len(case) for case, _, _ in seen) + 2
    print(f"  {'answer':{wide}}{'client':14}{'stream':8}{'tls':7}plain")
    for (case, client, stream), marks in seen.items():
        tls, plain = ("-" if over not in marks else "right" if marks[over] else "WRONG" for over in ("tls", "plain"))
        print(f"  {case:{wide}}{client:14}{'yes' if stream else 'no':8}{tls:7}{plain}")
    for row in rows:
        for text in row.wrong:
            print(f"    {row.case} by {row.client} over {row.over}: {text}" + (f" ({row.error})" if row.error else ""))


def main() -> int:
    """Run the trial for each loader; 0 when all is right."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--loader", choices=(*LOADERS, "both"), default="both")
    parser.add_argument("--short", action="store_true", help="every answer once, and one call of each SDK")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    closed = kernel_is_open()
    if closed:
        print(f"cannot run: {closed}", file=sys.stderr)
        return 2
    found = {}
    for loader in LOADERS if args.loader == "both" else (args.loader,):
        with tempfile.TemporaryDirectory() as folder:
            found[loader] = trial(loader, Path(folder), is_short=args.short)
        if not args.json:
            show(loader, found[loader])
    if args.json:
        print(json.dumps({loader: [asdict(row) for row in rows] for loader, rows in found.items()}))
    return 0 if all(not row.wrong for rows in found.values() for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
