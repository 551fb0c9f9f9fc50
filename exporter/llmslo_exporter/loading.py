"""Which loader loads the programs, and which programs this kernel needs."""

from __future__ import annotations

import logging

from llmslo_exporter import machine
from llmslo_exporter.errors import ExporterError, KernelError, SetupError
from llmslo_exporter.loaders.bcc import BccLoader
from llmslo_exporter.loaders.libbpf import LibbpfLoader
from llmslo_exporter.loaders.loader import Loader
from llmslo_exporter.probes import FALLBACK, SOCKET_TRACEPOINTS
from llmslo_exporter.table import tables

log = logging.getLogger(__name__)


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
