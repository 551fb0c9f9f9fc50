"""Clients with pools and event loops of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence

import pytest

from tests.e2e.answers import (
    chat,
)
from tests.e2e.daemon import ROOT
from tests.kernel.bench import Bench, Met

pytestmark = pytest.mark.timeout(120)
BOTH = pytest.mark.parametrize("tls", [True, False], ids=["tls", "plain"])


UVLOOP = """
import asyncio, json, ssl, sys
import uvloop
from tests.e2e.clients import context_for, request_bytes

async def main(port, cert, jobs):
    context = context_for(cert) if cert else None
    ready = [await asyncio.open_connection("localhost", port, ssl=context) for _ in jobs]
    for (_, writer), (model, _) in zip(ready, jobs):  # in one turn of the loop: it sends at the end of the turn
        writer.write(b"".join(request_bytes(model)))
    async def read(reader, writer, size):
        await reader.readexactly(size)
        writer.close()
    await asyncio.gather(*(read(*pair, size) for pair, (_, size) in zip(ready, jobs)))

uvloop.install()
asyncio.run(main(int(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3])))
"""


@BOTH
def test_uvloop_that_sends_for_many_connections_in_one_turn(bench: Bench, *, tls: bool) -> None:
    """Some are whole, some are left in the middle: no connection's end may end another's exchange."""
    pytest.importorskip("uvloop", reason="no uvloop")
    long = chat(60, 8.0)
    jobs, met = [], []
    for number in range(12):
        model = bench.lab.new("uvloop", long)
        leaves = number % 2 == 0
        jobs.append((model, long.marks[number].at if leaves else len(long.data)))
        met.append((model, leaves))
    _child(UVLOOP, str(bench.lab.server.port(tls=tls)), bench.lab.cert if tls else "", json.dumps(jobs))
    told = {}
    for model, _ in met:
        (line,) = bench.exporter.expect(model, "client")
        told[model] = line["outcome"]
    assert told == {model: "client_cancelled" if leaves else "ok" for model, leaves in met}


def _child(program: str, *args: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program, *args], cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=60, check=True
    )
    return done.stdout


LIBRARIES = {
    "urllib3": """
import json, sys, urllib3
pool = urllib3.PoolManager(ca_certs=sys.argv[2] or None)
for model in json.loads(sys.argv[3]):
    body = json.dumps({"model": model, "stream": True, "messages": []})
    answer = pool.request("POST", sys.argv[1], body=body, preload_content=False)
    for _ in answer.stream(64): pass
    answer.release_conn()
""",
    "aiohttp": """
import aiohttp, asyncio, json, ssl, sys
async def main():
    async with aiohttp.ClientSession() as session:
        async def one(model):
            ctx = ssl.create_default_context(cafile=sys.argv[2]) if sys.argv[2] else None
            ask = {"model": model, "stream": True, "messages": []}
            async with session.post(sys.argv[1], json=ask, ssl=ctx or False) as got:
                async for _ in got.content.iter_any(): pass
        await asyncio.gather(*(one(model) for model in json.loads(sys.argv[3])))
asyncio.run(main())
""",
}
NODE_AGENT = """
const [url, models] = process.argv.slice(1);
const mod = require(url.startsWith('https') ? 'https' : 'http');
const agent = new mod.Agent({keepAlive: true, maxSockets: 2, rejectUnauthorized: false});
for (const model of JSON.parse(models)) {
  const req = mod.request(url, {agent, method: 'POST', headers: {'content-type': 'application/json'}},
    res => res.on('data', () => 0));
  req.write('{"stream":true,"messages":[],');
  setTimeout(() => req.end(`"model":"${model}"}`), 5);
}
"""


@BOTH
@pytest.mark.parametrize("client", ["urllib3", "aiohttp", "node", "curl"])
def test_pooled_client(bench: Bench, client: str, *, tls: bool) -> None:
    whole = chat(6, 3.0, usage=(1, 6))
    models = [bench.lab.new(client, whole) for _ in range(6)]
    url = f"{'https' if tls else 'http'}://localhost:{bench.lab.server.port(tls=tls)}/v1/chat/completions"
    if client == "node":
        subprocess.run(["node", "-e", NODE_AGENT, url, json.dumps(models)], check=True, timeout=60)
    elif client == "curl":
        _curl(bench, url, models)
    else:
        pytest.importorskip(client)
        _child(LIBRARIES[client], url, bench.lab.cert if tls else "", json.dumps(models))
    bench.check(*(Met(model, whole, tls, None) for model in models))


def _curl(bench: Bench, url: str, models: Sequence[str]) -> None:
    options: list[str] = []
    for number, model in enumerate(models):
        body = json.dumps({"model": model, "stream": True, "messages": []})
        options += ["--next"] if number else []
        options += ["-sN", "--http1.1", "--cacert", bench.lab.cert, "-o", "/dev/null", "-d", body]
        options += ["-H", "content-type: application/json", url]
    subprocess.run(["curl", "--parallel", *options], check=True, timeout=60)
