"""The daemon: serves the pages until it is told to end, and takes settings in anew when it is told to."""

from __future__ import annotations

import logging
import sys
import time

from llmslo_exporter import logs
from llmslo_exporter.instance import Instance, assembled
from llmslo_exporter.options import Options
from llmslo_exporter.pages import Pages
from llmslo_exporter.reload import Reload
from llmslo_exporter.settings_file import Source
from llmslo_exporter.signals import ENDING, RELOAD, arrived, deferred
from llmslo_exporter.tracer import Tracer
from llmslo_exporter.web import WebServer

log = logging.getLogger(__name__)

FAILURE_S = 1.0  # how soon a tracer that died ends the daemon


def run(options: Options, source: Source) -> int:
    """Serve until SIGTERM or SIGINT; return 0. SIGHUP reads `source` again.

    Raises ExporterError when the user must act.
    """
    parts: list[Instance] = []

    def follow(wanted: Options) -> None:
        logs.configure(wanted.log_level, wanted.log_format, sys.stderr)
        parts[0].follow(wanted)

    reload = Reload(source, options, follow, time.time)
    with deferred((*ENDING, RELOAD)), assembled(options, reload.state) as instance:
        parts.append(instance)
        server = WebServer(options.address, Pages(instance.exposition, instance.tracer.is_ready))
        try:
            instance.tracer.start()
            address, loader = str(options.address), instance.loader.name
            log.info("ready", extra={"address": address, "port": server.port, "loader": loader})
            _until_told(instance.tracer, reload)
        finally:
            server.close()
    log.info("stopped")
    return 0


def _until_told(tracer: Tracer, reload: Reload) -> None:
    """Return when a signal asks for the end; raise what the tracer died of."""
    while True:
        number = arrived((*ENDING, RELOAD), FAILURE_S)
        if tracer.failure is not None:
            raise tracer.failure
        if number is RELOAD:
            reload.again()
        elif number is not None:
            return
