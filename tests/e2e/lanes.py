"""Clients that keep their connections, one job after the other, and the stamps they take themselves.

`python -m tests.e2e.lanes --lanes N [--async]` reads jobs (JSON lines) until its input closes, runs them on N lanes
and prints one result per job. `--one` runs a single job and ends as the job says.
Libraries are imported where they are used: openai alone takes a second, and a process needs few of them.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import http.client
import importlib
import importlib.util
import json
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import Any

from tests.e2e import taps
from tests.e2e.clients import KEY, PATIENCE_S, READ_BYTES, Job, Raw, Result, context_for, positive, request_bytes
from tests.e2e.taps import Flight


class Lane:
    """One sync client at a time, with its kept-alive connections."""

    def __init__(self, stamps: taps.Taps) -> None:
        self._taps = stamps
        self._raw: dict[tuple[int, bool], Raw] = {}
        self._kept: dict[tuple[str, int, bool, int], Any] = {}

    def run(self, job: Job) -> Result:
        """Carry the job out; an error of the client is part of the result."""
        error, flights = None, None
        run: Callable[[Job], list[Flight] | None] = {
            "raw": self._run_raw,
            "http.client": self._run_http_client,
            "httpx": self._run_httpx,
            "openai": self._run_openai,
            "requests": self._run_requests,
        }[job.client]
        try:
            flights = run(job)
        except Exception as failure:  # noqa: BLE001 - whatever a library raises on cut streams
            error = type(failure).__name__
        if flights is None:
            flights = self._taps.take(job.model)
        return Result(job.model, job.client, os.getpid(), flights, error)

    def _run_raw(self, job: Job) -> list[Flight]:
        where = (job.port, job.tls)
        conn = self._raw.pop(where, None) or Raw(job.port, job.cert if job.tls else None)
        conn.sock.settimeout(job.patience_s)
        flight_error = False
        got = b""
        try:
            conn.send(*request_bytes(job.model, stream=job.stream, prompt=job.prompt, model_first=job.model_first))
            got = conn.read(job.stop_bytes or job.total, job.read_bytes)
        except OSError:
            flight_error = True
        if flight_error or job.stop_bytes is not None or not job.keep or len(got) < job.total:
            conn.close()
        else:
            self._raw[where] = conn
        return [positive(conn.flight)]

    def _client(self, kind: str, job: Job, make: Callable[[], Any]) -> Any:
        where = (kind, job.port, job.tls, job.retries)
        if where not in self._kept:
            self._kept[where] = make()
        return self._kept[where]

    def _run_http_client(self, job: Job) -> None:
        def make() -> http.client.HTTPConnection:
            if job.tls:
                context = context_for(job.cert)
                return http.client.HTTPSConnection("localhost", job.port, timeout=PATIENCE_S, context=context)
            return http.client.HTTPConnection("localhost", job.port, timeout=PATIENCE_S)

        conn: http.client.HTTPConnection = self._client("http.client", job, make)
        whole = False
        try:
            headers = {"content-type": "application/json", "authorization": f"Bearer {KEY}"}
            conn.request("POST", job.path, json.dumps(job.body()), headers)
            response = conn.getresponse()
            for number, _ in enumerate(iter(lambda: response.read1(READ_BYTES), b"")):
                if job.stop_items is not None and number >= job.stop_items:
                    return
            response.close()  # at a satisfied content-length read1() leaves it open
            whole = True
        finally:
            if not whole:
                conn.close()

    def _run_httpx(self, job: Job) -> None:
        import httpx  # noqa: PLC0415

        client: httpx.Client = self._client(
            "httpx", job, lambda: httpx.Client(verify=context_for(job.cert), timeout=PATIENCE_S)
        )
        with client.stream("POST", job.base() + job.path, json=job.body(), headers={"authorization": KEY}) as response:
            for number, _ in enumerate(response.iter_lines()):
                if job.stop_items is not None and number >= job.stop_items * 2:
                    break

    def _run_openai(self, job: Job) -> None:
        import openai  # noqa: PLC0415

        def make() -> openai.OpenAI:
            transport = openai.DefaultHttpxClient(verify=context_for(job.cert), timeout=PATIENCE_S)
            return openai.OpenAI(
                base_url=job.base() + "/v1", api_key=KEY, http_client=transport, max_retries=job.retries
            )

        client: openai.OpenAI = self._client("openai", job, make)
        answer: Any = client.chat.completions.create(**job.body())
        if not job.stream:
            return
        for number, _ in enumerate(answer):
            if job.stop_items is not None and number >= job.stop_items:
                answer.close()
                break

    def _run_requests(self, job: Job) -> None:
        import requests  # noqa: PLC0415

        session: requests.Session = self._client("requests", job, requests.Session)
        with session.post(
            job.base() + job.path, json=job.body(), stream=True, verify=job.cert, timeout=PATIENCE_S
        ) as response:
            for number, _ in enumerate(response.iter_lines(chunk_size=1)):
                if job.stop_items is not None and number >= job.stop_items * 2:
                    break


class AsyncLane:
    """One asyncio client at a time, with its kept-alive connections."""

    def __init__(self, stamps: taps.Taps) -> None:
        self._taps = stamps
        self._kept: dict[tuple[str, int, bool], Any] = {}
        self._raw: dict[tuple[int, bool], tuple[asyncio.StreamReader, asyncio.StreamWriter]] = {}

    async def run(self, job: Job) -> Result:
        """Carry the job out; an error of the client is part of the result."""
        error = None
        run = {
            "raw-async": self._run_raw,
            "httpx-async": self._run_httpx,
            "openai-async": self._run_openai,
            "aiohttp": self._run_aiohttp,
        }[job.client]
        try:
            await asyncio.wait_for(run(job), PATIENCE_S)
        except Exception as failure:  # noqa: BLE001 - whatever a library raises on cut streams
            error = type(failure).__name__
        return Result(job.model, job.client, os.getpid(), self._taps.take(job.model), error)

    async def _run_raw(self, job: Job) -> None:
        where = (job.port, job.tls)
        kept = self._raw.pop(where, None)
        if kept is None:
            context = context_for(job.cert) if job.tls else None
            kept = await asyncio.open_connection("localhost", job.port, ssl=context)
        reader, writer = kept
        whole = False
        try:
            writer.write(b"".join(request_bytes(job.model, stream=job.stream, prompt=job.prompt)))
            await writer.drain()
            have = 0
            while have < (job.stop_bytes or job.total):
                data = await reader.read(READ_BYTES)
                if not data:
                    break
                have += len(data)
            whole = job.stop_bytes is None and have >= job.total and job.keep
        finally:
            if whole:
                self._raw[where] = kept
            else:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()

    async def _run_httpx(self, job: Job) -> None:
        import httpx  # noqa: PLC0415

        where = ("httpx-async", job.port, job.tls)
        if where not in self._kept:
            self._kept[where] = httpx.AsyncClient(verify=context_for(job.cert), timeout=PATIENCE_S)
        client: httpx.AsyncClient = self._kept[where]
        async with client.stream("POST", job.base() + job.path, json=job.body()) as response:
            number = 0
            async for _ in response.aiter_lines():
                number += 1
                if job.stop_items is not None and number >= job.stop_items * 2:
                    break

    async def _run_openai(self, job: Job) -> None:
        import openai  # noqa: PLC0415

        where = (f"openai-async {job.retries}", job.port, job.tls)
        if where not in self._kept:
            transport = openai.DefaultAsyncHttpxClient(verify=context_for(job.cert), timeout=PATIENCE_S)
            self._kept[where] = openai.AsyncOpenAI(
                base_url=job.base() + "/v1", api_key=KEY, http_client=transport, max_retries=job.retries
            )
        client: openai.AsyncOpenAI = self._kept[where]
        answer: Any = await client.chat.completions.create(**job.body())
        if not job.stream:
            return
        number = 0
        async for _ in answer:
            number += 1
            if job.stop_items is not None and number >= job.stop_items:
                await answer.close()
                break

    async def _run_aiohttp(self, job: Job) -> None:
        import aiohttp  # noqa: PLC0415

        where = ("aiohttp", job.port, job.tls)
        if where not in self._kept:
            self._kept[where] = aiohttp.ClientSession()
        session: aiohttp.ClientSession = self._kept[where]
        secure = context_for(job.cert) if job.tls else False
        async with session.post(job.base() + job.path, json=job.body(), ssl=secure) as response:
            number = 0
            async for _ in response.content:
                number += 1
                if job.stop_items is not None and number >= job.stop_items * 2:
                    response.close()
                    break

    async def close(self) -> None:
        """End the kept connections."""
        for client in self._kept.values():
            closed = client.aclose() if hasattr(client, "aclose") else client.close()
            await closed
        for _, writer in self._raw.values():
            writer.close()


def _print(result: Result) -> None:
    sys.stdout.write(json.dumps(asdict(result)) + "\n")
    sys.stdout.flush()


def _one(line: str) -> None:
    job = Job(**json.loads(line))
    conn = Raw(job.port, job.cert if job.tls else None)
    conn.send(*request_bytes(job.model, stream=job.stream))
    conn.read(job.stop_bytes or job.total, job.read_bytes)
    _print(Result(job.model, job.client, os.getpid(), [positive(conn.flight)]))
    if job.end == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if job.end == "exit":
        os._exit(0)


def _sync_lanes(lanes: int, lines: Iterable[str]) -> None:
    sys.setswitchinterval(0.0005)  # stamps must not wait for another lane's slice
    stamps = taps.install()
    jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
    listed = [Job(**json.loads(line)) for line in lines]
    # Before the threads: a first import in two of them at once fails inside openai.
    for library in sorted({job.client for job in listed} & {"httpx", "openai", "requests"}):
        importlib.import_module(library)

    def work() -> None:
        lane = Lane(stamps)
        while (job := jobs.get()) is not None:
            _print(lane.run(job))

    threads = [threading.Thread(target=work) for _ in range(lanes)]
    for thread in threads:
        thread.start()
    for job in listed:
        jobs.put(job)
    for _ in threads:
        jobs.put(None)
    for thread in threads:
        thread.join()


async def _async_lanes(lanes: int, lines: Iterable[str]) -> None:
    stamps = taps.install()
    jobs: asyncio.Queue[Job] = asyncio.Queue()
    for line in lines:
        jobs.put_nowait(Job(**json.loads(line)))

    async def work() -> None:
        lane = AsyncLane(stamps)
        while not jobs.empty():
            _print(await lane.run(jobs.get_nowait()))
        await lane.close()

    await asyncio.gather(*[work() for _ in range(lanes)])


def main() -> None:
    """Run jobs from standard input."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lanes", type=int, default=1)
    parser.add_argument("--async", dest="is_async", action="store_true")
    parser.add_argument("--one", action="store_true")
    args = parser.parse_args()
    if args.one:
        _one(sys.stdin.readline())
    elif args.is_async:
        asyncio.run(_async_lanes(args.lanes, sys.stdin))
    else:
        _sync_lanes(args.lanes, sys.stdin)


if __name__ == "__main__":
    main()
