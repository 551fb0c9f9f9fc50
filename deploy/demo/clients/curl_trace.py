"""curl, timed by its own trace: URL CERT MODEL COUNT MAX_TOKENS.

`--trace-ascii` writes when curl received each block and the blocks themselves, wrapped at 64 columns. It tells of a
send when it is done, so the stamp just before it is the line before: OpenSSL's word that it wraps the request up.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from datetime import datetime, timedelta
from pathlib import Path

from deploy.demo.clients.asking import PROMPTS, chat
from deploy.demo.measured import Measured

BLOCK = re.compile(r"^(\d\d:\d\d:\d\d\.\d{6}) (=> Send header|<= Recv data|\S\S \w+)")
DATA = re.compile(r"^[0-9a-f]{4,}: (.*)$")
CONTENT = re.compile(r'"content": ?"[^"]')


def main() -> None:
    url, cert, model, count, max_tokens = sys.argv[1:]
    for prompt in PROMPTS[: int(count)]:
        print(ask(url, cert, chat(prompt, model, int(max_tokens))).line(), flush=True)


def ask(url: str, cert: str, body: dict[str, object]) -> Measured:
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder, "trace")
        command = ["curl", "-sS", "--fail", "--no-buffer", "--max-time", "60", "--cacert", cert, "--http1.1"]
        command += ["--trace-time", "--trace-ascii", str(trace), "-H", "Content-Type: application/json"]
        command += ["-d", json.dumps(body), f"{url}/chat/completions"]
        answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        ttft_s = first_content_s(trace.read_text(errors="replace"))
    events = [json.loads(line[6:]) for line in answer.split("\n") if line.startswith("data: {")]
    usage = next(event["usage"] for event in reversed(events) if event.get("usage"))
    return Measured(ttft_s, "ok", usage["prompt_tokens"], usage["completion_tokens"])


def first_content_s(trace: str) -> float:
    """Return the seconds from just before the first header was sent to the block that completed the first content."""
    before: datetime | None = None
    sent: datetime | None = None
    at: datetime | None = None
    text = ""
    for line in trace.split("\n"):
        if block := BLOCK.match(line):
            at = None
            clock = datetime.strptime(block[1], "%H:%M:%S.%f")  # noqa: DTZ007 - only differences are used
            if block[2] == "=> Send header":
                sent = sent or before or clock
            elif block[2] == "<= Recv data":
                at = clock
            before = clock
        elif at and sent and (data := DATA.match(line)):
            text += data[1]
            if CONTENT.search(text):
                return ((at - sent) % timedelta(days=1)).total_seconds()
    msg = "curl's trace holds no content"
    raise ValueError(msg)


if __name__ == "__main__":
    main()
