"""Canaries: unique strings in prompts, answers and keys that must never come out of the exporter.

`python -m tests.kernel.privacy [--loader libbpf|bcc]` sends them through every kind of exchange and searches /metrics,
the debug log and the working directory.
"""

from __future__ import annotations

import argparse
import base64
import secrets
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.e2e.answers import (
    DONE,
    ROLE,
    STOP,
    After,
    Answer,
    Kind,
    Truth,
    answer,
    chat_event,
    completion,
    cut_after,
    error_truth,
    event,
    json_answer,
    plain_truth,
)
from tests.e2e.clients import Raw, request_bytes
from tests.e2e.daemon import Exporter, NotSeenError, kernel_is_open, running
from tests.e2e.lab import Lab, laboratory

WHAT = ("prompt", "answer", "key")


def canaries() -> dict[str, str]:
    """One fresh string for each thing that must stay secret."""
    return {what: f"canary{secrets.token_hex(12)}" for what in WHAT}


def _answers(marked: Mapping[str, str]) -> dict[str, Answer]:
    secret = marked["answer"]
    said = [chat_event({"content": f" {secret}"}, Kind.OUTPUT, before_ms=1.0) for _ in range(5)]
    stream = answer([ROLE, *said, STOP, DONE], Truth(tokens=None))
    refusal = {
        "error": {"message": f"{marked['prompt']} is not allowed, {marked['key']}", "type": secret, "code": secret}
    }
    garbage = json_answer(f"\0{secret}".encode(), plain_truth((1, 1)))
    return {
        "stream": stream,
        "cut": cut_after(stream, 4, After.FIN, Truth()),
        "in-stream": answer(
            [ROLE, *said, event(f'{{"error": {{"message": "{secret}", "type": "{secret}"}}}}')], Truth()
        ),
        "odd-finish": answer([ROLE, *said, chat_event({}, finish=secret), DONE], Truth()),
        "json": json_answer(completion((1, 2), secret), plain_truth((1, 2)), compress=True),
        "error": json_answer(refusal, error_truth(400, "invalid_request"), status="400 Bad Request"),
        "broken": garbage,
        "no-json-event": answer([ROLE, event(secret), DONE], Truth()),
    }


def expose(lab: Lab, exporter: Exporter, marked: Mapping[str, str]) -> list[str]:
    """Send the canaries through every kind of exchange, over both transports; the models used."""
    models = []
    for tls in (True, False):
        for name, planned in _answers(marked).items():
            model = lab.new(f"private-{name}", planned)
            conn = Raw(lab.server.port(tls=tls), lab.cert if tls else None)
            header = f"x-api-key: {marked['key']}"
            path = f"/v1/chat/completions?api-key={marked['key']}"
            conn.send(*request_bytes(model, prompt=marked["prompt"] * 30, headers=(header,), path=path))
            conn.read(len(planned.data) + (planned.after is not After.KEEP))
            conn.close()
            models.append(model)
    for model in models:
        for role in ("client", "server"):
            exporter.expect(model, role)
    return models


def _spellings(secret: str) -> list[bytes]:
    raw = secret.encode()
    # A part is a leak too: captures cut texts anywhere.
    return [raw[:18], raw[6:], raw.hex().encode(), base64.b64encode(raw)[:16], repr(raw)[2:-1].encode()]


def leaks(marked: Mapping[str, str], texts: Mapping[str, str], folder: Path) -> list[str]:
    """Where a canary, or a good part of one, shows."""
    places = {name: text.encode() for name, text in texts.items()}
    places |= {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return sorted(
        f"{name}: {what}"
        for name, data in places.items()
        for what, secret in marked.items()
        if any(spelling in data for spelling in _spellings(secret))
    )


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
        with tempfile.TemporaryDirectory() as top, tempfile.TemporaryDirectory() as cwd, laboratory(Path(top)) as lab:
            marked = canaries()
            with running(loader, Path(cwd)) as exporter:
                models = expose(lab, exporter, marked)
                pages = {path: exporter.fetch(path)[1] for path in ("/metrics", "/healthz", "/readyz", "/")}
            texts = {**pages, "log": "".join(exporter.raw)}
            here = leaks(marked, texts, Path(cwd))
            size = sum(map(len, texts.values()))
            print(f"{loader}: {len(models)} exchanges x 2 roles, {size} bytes of pages and log: {here or 'no canary'}")
            found += here
    return 1 if found else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except NotSeenError as failure:
        sys.exit(str(failure))
