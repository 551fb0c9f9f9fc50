"""The exporter's heart: reads the ring, follows processes, turns what the kernel says into recorded exchanges."""

from __future__ import annotations

import logging
import select
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from llmslo_exporter.allocator import give_back
from llmslo_exporter.assembly import Assembly
from llmslo_exporter.errors import DecodeError
from llmslo_exporter.events import (
    HOT_AT,
    RECORD_EXCHANGE,
    RECORD_EXIT,
    RECORD_HEAD,
    RECORD_PIECE,
    RECORD_PROCESS,
    RECORD_TLS_FAILED,
    RECORD_TLS_NAMED,
    Identity,
    decode_hot,
    decode_process,
    decode_record,
    decode_shipped,
    decode_tls_failed,
)
from llmslo_exporter.exchange import Exchange
from llmslo_exporter.exclusions import Exclusions
from llmslo_exporter.identity import Workload
from llmslo_exporter.leaving_out import Patience, Reason
from llmslo_exporter.ledger import Entry, Ledger, is_of
from llmslo_exporter.loaders.loader import Loader
from llmslo_exporter.observe import InFlight
from llmslo_exporter.providers import known_host, split_host
from llmslo_exporter.reading import read
from llmslo_exporter.sparing import LeftOut
from llmslo_exporter.summary import Closer, End, Role, Summary
from llmslo_exporter.turns import Turns
from llmslo_exporter.watch import Counts, Watch
from llmslo_exporter.workload import workload

log = logging.getLogger(__name__)

POLL_S = 0.1  # ended exchanges do not wake us: they wait at most so long
PATIENCE = Patience()
# Of one turn at the ring: more may come than can be read, and a scrape waits for the turn.
TURN_S = 0.1
SWEEP_S = 10.0  # all processes again: a library loaded late, an exit that was missed
SILENT_S = 3600.0  # an exchange without a byte for so long is a leak, not a slow provider (the SDKs give up at 600 s)


@dataclass(slots=True)
class _Label:
    """What an exchange under way is called; asked again once its answer has begun."""

    has_answer: bool
    exchange: Exchange


class Sink(Protocol):
    """Who takes what was seen: the store of /metrics, or a table for a person."""

    def record(self, exchange: Exchange, workload: Workload) -> None:
        """Take one ended exchange."""

    def record_tls_failure(self, provider: str, role: Role, workload: Workload) -> None:
        """Take one failed handshake with a known provider."""


class Tracer:
    """Owns the loader, on a thread of its own from `start` to `close`."""

    def __init__(
        self,
        loader: Loader,
        recorder: Sink,
        provider_map: Mapping[str, str],
        exclusions: Exclusions,
        patience: Patience = PATIENCE,
    ) -> None:
        self._loader = loader
        self._recorder = recorder
        self._provider_map = provider_map
        self._ledger = Ledger(loader)
        self._assembly = Assembly()
        self._labels: dict[Identity, _Label] = {}
        self._turn_ends_s = 0.0
        self._is_cut = False
        self._lock = Turns()
        self._stopping = threading.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tracer", daemon=True)
        self.counts = Counts()
        self._watch = Watch(loader, self.counts, exclusions, patience)
        self._processes = self._watch.processes
        self.probes = self._watch.probes
        self.failure: BaseException | None = None
        self._handlers: dict[int, Callable[[bytes], None]] = {
            RECORD_EXCHANGE: self._take_exchange,
            RECORD_PIECE: lambda raw: self._assembly.add(decode_shipped(raw)),
            RECORD_PROCESS: self._take_process,
            RECORD_EXIT: self._take_process,
            RECORD_TLS_FAILED: self._take_tls_failed,
            RECORD_TLS_NAMED: self._take_tls_named,
        }

    def start(self) -> None:
        """Attach everything that is there now, then go on in the background."""
        with self._lock:
            self._loader.open_ring(self._sample)
            self._watch.start()
        self._thread.start()
        self._ready.set()

    def reconfigure(self, provider_map: Mapping[str, str], exclusions: Exclusions) -> None:
        """Name providers and leave out processes by these settings from now on."""
        with self._lock:
            self._provider_map = provider_map
            self._watch.sparing.reconfigure(exclusions)
            self._labels.clear()

    def is_ready(self) -> bool:
        """Tell whether the probes stand and the ring is read."""
        return self._ready.is_set() and self._thread.is_alive() and self.probes.is_attached()

    def drain(self) -> None:
        """Take what the ring holds now."""
        with self._lock:
            self._consume()

    def close(self) -> None:
        """Stop, take what is left, and unload."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        with self._lock:
            if self._ready.is_set():
                self._consume()
            self._watch.close()
            self._loader.close()

    def wait(self) -> None:
        """Return when the tracer has stopped, by `close` or by a failure."""
        self._thread.join()

    def _run(self) -> None:
        poll = select.poll()
        for descriptor in (self._loader.ring_fd(), *self._watch.descriptors()):
            poll.register(descriptor, select.POLLIN)
        next_sweep = time.monotonic() + SWEEP_S
        try:
            while not self._stopping.is_set():
                poll.poll(self._watch.due_s(POLL_S) * 1000)
                with self._lock:
                    self._consume()
                    self._watch.turn(self._is_calling)
                    if time.monotonic() >= next_sweep or self._watch.is_behind():
                        self._sweep_if_possible()
                        give_back()
                        next_sweep = time.monotonic() + SWEEP_S
        except BaseException as error:
            self.failure = error
            raise

    def _consume(self) -> bool:
        """Take what is in the ring, for so long; return whether that was all."""
        self._turn_ends_s = time.monotonic() + TURN_S
        self._is_cut = False
        self._loader.consume()
        return not self._is_cut

    def _sample(self, raw: bytes) -> bool:
        try:
            kind, _ = RECORD_HEAD.unpack_from(raw)
            self._handlers[kind](raw)
        except (DecodeError, KeyError, ValueError):
            self.counts.decode += 1
            log.debug("record not understood", extra={"bytes": len(raw)})
        except Exception as error:  # a bug of ours that one exchange brings out must not cost the others
            self.counts.decode += 1
            log.exception("record not read", exc_info=error)
        self._is_cut = time.monotonic() > self._turn_ends_s
        return not self._is_cut

    def _take_exchange(self, raw: bytes) -> None:
        identity = decode_hot(memoryview(raw)[HOT_AT:]).identity
        self._labels.pop(identity, None)
        self._record(decode_record(raw, self._assembly.take(identity)))

    def _record(self, summary: Summary) -> None:
        process = self._processes.of(summary.pid)
        exchange = self._read(summary)
        if exchange is None:  # a call of something else on a path that ends alike
            return
        owner = workload(process) if process else Workload("", summary.comm or workload(None).workload)
        self._watch.sparing.called(summary.pid)
        self._recorder.record(exchange, owner)
        if log.isEnabledFor(logging.DEBUG):
            log.debug("exchange", extra=_facts(summary, exchange, owner))

    def _take_process(self, raw: bytes) -> None:
        event = decode_process(raw)
        if event.is_exit:
            if not _has_threads(event.pid):  # the main thread may end before the others
                self._gone(event.pid)
        else:
            self._watch.began(event.pid)

    def _take_tls_failed(self, raw: bytes) -> None:
        event = decode_tls_failed(raw)
        provider = known_host(event.sni)
        if provider is not None:
            self._recorder.record_tls_failure(provider, Role.CLIENT, workload(self._processes.of(event.pid)))

    def _take_tls_named(self, raw: bytes) -> None:
        event = decode_tls_failed(raw)
        if known_host(event.sni) is not None or event.sni in self._hosts():
            self._watch.sparing.named(event.pid)

    def _hosts(self) -> frozenset[str]:
        return frozenset(split_host(name)[0] for name in self._provider_map)

    def _is_calling(self, pid: int) -> bool:
        """Tell whether a process has an exchange open, one seen half included."""
        return any(entry.hot.tgid == pid for entry in self._ledger.entries())

    def _gone(self, pid: int) -> None:
        """End what the process left open. Its sockets, and what hangs on them, the kernel has closed itself."""
        for entry in tuple(self._ledger.entries()):
            if is_of(entry, pid):
                self._end(entry, End.EXITED, Closer.THIS)
        self._watch.ended(pid)

    def _end(self, found: Entry, end: End, closer: Closer) -> None:
        entry = self._ledger.again(found)
        if entry is None:
            return
        summary = None if entry.is_mid_stream else self._ledger.summary(entry, end, closer)
        if self._ledger.remove(entry) and summary is not None:  # else the kernel was first: its record is on the way
            self._labels.pop(entry.hot.identity, None)
            pieces = self._assembly.take(entry.hot.identity)
            self._record(replace(summary, pieces=pieces or (), pieces_lost=summary.pieces_lost or pieces is None))

    def _sweep_if_possible(self) -> None:
        try:
            self._sweep()
        except OSError as error:  # no descriptor left to list the processes with
            log.warning("no sweep", extra={"reason": str(error)})

    def _sweep(self) -> None:
        now_s = time.monotonic()
        # Before the list of processes: one that is born after it, and asks at once, is not dead.
        opened = tuple(self._ledger.entries())
        live, gone = self._watch.sweep()
        for pid in gone:
            self._gone(pid)
        for entry in opened:
            if entry.hot.is_tls and entry.hot.tgid not in live:
                self._end(entry, End.EXITED, Closer.THIS)
            elif now_s - entry.hot.last_ns * 1e-9 > SILENT_S:
                self._end(entry, End.SWEPT, Closer.NONE)
        self._forget_pieces()

    def _forget_pieces(self) -> None:
        """Drop what is left of exchanges that neither are open nor have a record in the ring."""
        waiting = self._assembly.waiting()
        if not waiting:
            return
        opened = {entry.hot.identity for entry in self._ledger.entries()}
        if self._consume():  # the record of what was open neither before nor at the look is in the ring
            self._assembly.forget(waiting - opened)

    def in_flight(self) -> tuple[InFlight, ...]:
        """Return the exchanges under way, from the kernel's own table."""
        with self._lock:  # not while others take what is returned: who records holds a lock of its own
            now_s = time.monotonic()
            labels = ((entry, self._label(entry)) for entry in self._ledger.entries() if not entry.is_mid_stream)
            known = [(entry, label) for entry, label in labels if label is not None]
            self._labels = {entry.hot.identity: label for entry, label in known}
            return tuple(self._flight(entry, label.exchange, now_s) for entry, label in known)

    def _flight(self, entry: Entry, exchange: Exchange, now_s: float) -> InFlight:
        return InFlight(
            role=entry.hot.role,
            provider=exchange.provider,
            model=exchange.model,
            operation=exchange.operation,
            workload=workload(self._processes.of(entry.hot.tgid)),
            phase="streaming" if entry.hot.is_streaming else "first_token",
            age_s=max(0.0, now_s - entry.hot.start_ns * 1e-9),
        )

    def _label(self, entry: Entry) -> _Label | None:
        has_answer = bool(entry.hot.first_byte_ns)
        known = self._labels.get(entry.hot.identity)
        if known is not None and known.has_answer == has_answer:
            return known
        summary = self._ledger.summary(entry, End.SWEPT, Closer.NONE)
        if summary is None:
            return None
        # What the answer holds takes most of the time, and names something only where the request does not.
        exchange = self._read(replace(summary, response_body=b"", response_tail=b""))
        if exchange is not None and exchange.model is None:
            exchange = self._read(summary)
        return _Label(has_answer, exchange) if exchange else None

    def _read(self, summary: Summary) -> Exchange | None:
        process = self._processes.of(summary.pid)
        return read(summary, provider_map=self._provider_map, process=process.name if process else summary.comm)

    def left_out(self) -> tuple[LeftOut, ...]:
        """Return the processes whose TLS is not read now."""
        with self._lock:
            return self._watch.sparing.left_out()

    def left_out_s(self) -> Mapping[Reason, float]:
        """Return the seconds that processes were left out, all together."""
        with self._lock:
            return self._watch.sparing.spent_s()

    def files_refused(self) -> Mapping[str, float]:
        """Return by reason how often a file or a process was kept from being probed."""
        return self._watch.refused()

    def given_up_bytes(self) -> int:
        """Return how many bytes of answers were given up because too many waited for their end."""
        return self._assembly.given_up_bytes

    def kernel_counters(self) -> dict[str, int]:
        """Return the kernel's counters by name."""
        with self._lock:
            return self._ledger.counters()


def _has_threads(pid: int) -> bool:
    try:
        return any(entry.name != str(pid) for entry in Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        return False


def _facts(summary: Summary, exchange: Exchange, owner: Workload) -> dict[str, object]:
    """Numbers and names of one exchange for a debug line; no text of it."""
    return {
        "model": exchange.model,
        "role": exchange.role.value,
        "provider": exchange.provider,
        "operation": exchange.operation,
        "workload": owner.workload,
        "pid": summary.pid,
        "transport": summary.transport.value,
        "stream": exchange.stream,
        "status": exchange.status,
        "outcome": exchange.outcome.value,
        "stream_outcome": exchange.stream_outcome.value if exchange.stream_outcome else None,
        "closed_by": exchange.closed_by.value,
        "first_token": exchange.first_token_s is not None,
        "first_byte_s": exchange.first_byte_s,
        "first_token_s": exchange.first_token_s,
        "first_output_s": exchange.first_output_s,
        "last_token_s": exchange.last_token_s,
        "max_gap_s": exchange.max_gap_s,
        "duration_s": exchange.duration_s,
        "start_s": summary.start_s,
        "content_events": exchange.content_events,
        "reads": summary.reads,
        "writes": summary.writes,
        "bytes_in": summary.bytes_in,
        "bytes_out": summary.bytes_out,
        "end": summary.end.name.lower(),
        "closer": summary.closer.name.lower(),
        "tokens": [
            {
                "source": t.source.value,
                "input": t.input,
                "output": t.output,
                "cache_read": t.cache_read,
                "cache_write": t.cache_write,
                "reasoning": t.reasoning,
            }
            for t in exchange.tokens
        ],
        "finishes": [reason.name.lower() for reason in exchange.finishes],
        "retry": exchange.retry,
        "peer": summary.peer,
    }
