"""The daemon: builds the parts, joins them, and ends cleanly on SIGTERM."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections import Counter
from collections.abc import Mapping
from importlib.metadata import version

from llmslo_exporter import machine
from llmslo_exporter.admission import Admission
from llmslo_exporter.bpf_stats import run_stats
from llmslo_exporter.errors import ExporterError, KernelError, SetupError
from llmslo_exporter.events import LOSSES
from llmslo_exporter.exclusions import Exclusions
from llmslo_exporter.exposition import Exposition, Families, Sources
from llmslo_exporter.loaders.bcc import BccLoader
from llmslo_exporter.loaders.libbpf import LibbpfLoader
from llmslo_exporter.loaders.loader import Loader
from llmslo_exporter.options import Options
from llmslo_exporter.pages import Pages
from llmslo_exporter.probes import FALLBACK, SOCKET_TRACEPOINTS
from llmslo_exporter.recorder import Recorder
from llmslo_exporter.series import Store
from llmslo_exporter.table import tables
from llmslo_exporter.tracer import Tracer
from llmslo_exporter.web import WebServer

log = logging.getLogger(__name__)


def run(options: Options) -> int:
    """Serve until SIGTERM or SIGINT; return 0. Raises ExporterError when the user must act."""
    machine.require()
    machine.forbid_core_dumps()
    machine.raise_limits()
    loader = load(options.loader)
    store = Store(time.monotonic, options.limits)
    recorder = Recorder(store, Admission(options.limits, time.monotonic))
    tracer = Tracer(loader, recorder, options.provider_map, Exclusions())
    if options.bpf_stats:
        loader.enable_stats()
    pages = Pages(
        Exposition(Families(store, recorder, sources(tracer, loader, stats=options.bpf_stats)), tracer.drain),
        tracer.is_ready,
    )
    server = WebServer(options.address, pages)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        tracer.start()
        log.info("ready", extra={"address": str(options.address), "port": server.port, "loader": loader.name})
        while not stop.wait(1.0):
            if tracer.failure is not None:
                raise tracer.failure
    finally:
        server.close()
        tracer.close()
    log.info("stopped")
    return 0


def load(name: str) -> Loader:
    """Load the programs by `name`; `auto` is libbpf, else BCC."""
    loader = BccLoader() if name == "bcc" else _libbpf_or_bcc(is_only=name == "libbpf")
    for number, part in enumerate(tables()):
        loader.update("automata", number.to_bytes(4, "little"), part)
    return loader


def unused_programs() -> tuple[str, ...]:
    """Return the programs this kernel does not need: loading one it has no use for would cost a third of the start."""
    has_all = all(machine.has_tracepoint(tracepoint) for _, tracepoint in SOCKET_TRACEPOINTS)
    return (FALLBACK[0],) if has_all else ()


def _libbpf_or_bcc(*, is_only: bool) -> Loader:
    try:
        return LibbpfLoader(without=unused_programs())
    except (KernelError, SetupError) as error:
        if is_only:
            raise
        log.warning("libbpf loader failed, trying bcc", extra={"reason": str(error)})
        try:
            return BccLoader()
        except ExporterError as second:
            msg = f"no loader works: libbpf: {error}; bcc: {second}"
            raise SetupError(msg) from second


def sources(tracer: Tracer, loader: Loader, *, stats: bool) -> Sources:
    """Return what only the tracer knows, in the words of the catalog."""

    def lost() -> Mapping[str, float]:
        counters = tracer.kernel_counters()
        return {name: counters[name] for name in LOSSES if name != "framing"} | {"decode": tracer.counts.decode}

    def unparsed() -> Mapping[str, float]:
        counters = tracer.kernel_counters()
        return {
            "mid_stream": counters["mid_stream"],
            "h2": counters["h2"],
            "websocket": counters["websocket"],
            "eventstream": counters["eventstream"],
            "late_attach": tracer.counts.late_attach,
            "no_tls_symbols": tracer.counts.no_tls_symbols,
        }

    def left_out() -> Mapping[str, float]:
        return Counter(left.reason.value for left in tracer.left_out())

    def measured(which: int) -> Mapping[str, float]:
        return {name: both[which] for name, both in run_stats(loader.programs()).items()} if stats else {}

    return Sources(
        version=version("llmslo"),
        loader=loader.name,
        in_flight=tracer.in_flight,
        events_lost=lost,
        parse_errors=lambda: {"framing": tracer.kernel_counters()["framing"]},
        unparsed=unparsed,
        probes_attached=tracer.probes.attached,
        probes_single_stepped=tracer.probes.single_stepped,
        left_out=left_out,
        left_out_seconds=lambda: {reason.value: spent_s for reason, spent_s in tracer.left_out_s().items()},
        files_refused=tracer.files_refused,
        bpf_run_seconds=lambda: measured(0),
        bpf_runs=lambda: measured(1),
    )
