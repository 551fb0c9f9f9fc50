"""`--once`: watches for a while, prints one scrape, ends."""

from __future__ import annotations

import sys

from llmslo_exporter.instance import assembled
from llmslo_exporter.options import Options
from llmslo_exporter.signals import ENDING, arrived, deferred
from llmslo_exporter.written import written

INTERRUPTED = 130


def run(options: Options, after_s: float) -> int:
    """Print what /metrics would say after `after_s` seconds; return 0, or 130 when a signal came first.

    Raises ExporterError when the user must act.
    """
    with deferred(ENDING), assembled(options) as instance:
        instance.tracer.start()
        if arrived(ENDING, after_s) is not None:
            return INTERRUPTED
        if instance.tracer.failure is not None:
            raise instance.tracer.failure
        body, _ = instance.exposition.render("")
    written(sys.stdout, body.decode())
    return 0
