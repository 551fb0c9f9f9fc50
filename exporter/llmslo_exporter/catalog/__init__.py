"""Every metric, label, bucket, SLI and record: the only place where such a name is spelled. Standard library only."""

from __future__ import annotations

# Names are told from one place, whichever of the four modules spells them; one a line they would fill 470.
from llmslo_exporter.catalog.metrics import *  # noqa: F403
from llmslo_exporter.catalog.rules import *  # noqa: F403
from llmslo_exporter.catalog.slis import *  # noqa: F403
from llmslo_exporter.catalog.sources import *  # noqa: F403
