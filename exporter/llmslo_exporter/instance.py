"""The parts that see and count, put together for as long as they run."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version

from llmslo_exporter import allocator, machine
from llmslo_exporter.admission import Admission
from llmslo_exporter.bpf_stats import run_stats
from llmslo_exporter.events import LOSSES
from llmslo_exporter.exposition import Exposition, Families, Sources
from llmslo_exporter.leaving_out import Patience
from llmslo_exporter.loaders.loader import Loader
from llmslo_exporter.loading import load
from llmslo_exporter.options import Options
from llmslo_exporter.recorder import Recorder
from llmslo_exporter.series import Store
from llmslo_exporter.tracer import Sink, Tracer


@dataclass(frozen=True, slots=True)
class Instance:
    """What the daemon and `--once` have in common."""

    loader: Loader
    tracer: Tracer
    recorder: Recorder
    exposition: Exposition

    def follow(self, options: Options) -> None:
        """Take in the options that can change while it runs."""
        self.tracer.reconfigure(options.provider_map, options.tls_exclude)
        self.recorder.resize(options.limits)
        self.exposition.show(options.families)


@contextmanager
def watching(options: Options, sink: Sink) -> Iterator[tuple[Loader, Tracer]]:
    """Load the programs, unload them at the end. The tracer stands still until it is started.

    Raises ExporterError when the machine lacks something or the kernel refuses.
    """
    machine.require()
    allocator.keep_little()
    machine.forbid_core_dumps()
    machine.raise_limits()
    loader = load(options.loader)
    tracer = Tracer(loader, sink, options.provider_map, options.tls_exclude, patience(options))
    try:
        yield loader, tracer
    finally:
        tracer.close()


def patience(options: Options) -> Patience:
    """Return from when on a busy process without LLM calls is left out."""
    return Patience(calls_per_s=float(options.tls_busy_rate) or math.inf)


@contextmanager
def assembled(options: Options, settings: Callable[[], tuple[float, float]] | None = None) -> Iterator[Instance]:
    """Load and connect all parts, unload them at the end; `settings` says how their last reload went."""
    store = Store(time.monotonic, options.limits)
    recorder = Recorder(store, Admission(options.limits, time.monotonic))
    with watching(options, recorder) as (loader, tracer):
        if options.bpf_stats:
            loader.enable_stats()
        found = sources(tracer, loader, stats=options.bpf_stats, settings=settings or (lambda: (1.0, time.time())))
        exposition = Exposition(Families(store, recorder, found), tracer.drain)
        exposition.show(options.families)
        yield Instance(loader, tracer, recorder, exposition)


def sources(tracer: Tracer, loader: Loader, *, stats: bool, settings: Callable[[], tuple[float, float]]) -> Sources:
    """Return what only the tracer knows, in the words of the catalog."""

    def lost() -> Mapping[str, float]:
        counters = tracer.kernel_counters()
        bound = counters["body_bound"] + tracer.given_up_bytes()
        return {name: counters[name] for name in LOSSES if name != "framing"} | {
            "body_bound": bound,
            "decode": tracer.counts.decode,
        }

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
        settings=settings,
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
