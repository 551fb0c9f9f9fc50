"""Takes settings in anew while the exporter runs; bad ones change nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

from llmslo_exporter.errors import ConfigurationError
from llmslo_exporter.options import NEEDS_RESTART, Options
from llmslo_exporter.settings_file import Source

log = logging.getLogger(__name__)


class Reload:
    """The options in force. `apply` brings new ones to the parts that follow them; `clock` is seconds since 1970."""

    def __init__(
        self, source: Source, options: Options, apply: Callable[[Options], None], clock: Callable[[], float]
    ) -> None:
        self._source = source
        self._options = options
        self._apply = apply
        self._clock = clock
        self._is_successful = True
        self._taken_s = clock()

    def state(self) -> tuple[float, float]:
        """Return 1 or 0, whether the last settings were taken, and when some last were."""
        return float(self._is_successful), self._taken_s

    def again(self) -> None:
        """Read the settings; take them all, but for those that need a restart, or keep the old ones."""
        try:
            wanted = self._source.read()
        except ConfigurationError as error:
            self._is_successful = False
            log.error("settings refused, the old ones hold", extra={"reason": str(error)})  # noqa: TRY400 -- the user's
            return
        held = {name: getattr(self._options, name) for name in NEEDS_RESTART}
        changed = [NEEDS_RESTART[name] for name, value in held.items() if getattr(wanted, name) != value]
        if changed:
            log.warning("changed settings that only a restart takes in", extra={"settings": ",".join(changed)})
        self._options = replace(wanted, **held)
        self._apply(self._options)
        self._is_successful = True
        self._taken_s = self._clock()
        log.info("settings taken in", extra={"file": str(self._source.file or "none")})
