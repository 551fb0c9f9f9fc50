"""One Python under several names.

The exporter names a process after its executable, and three of the clients are the same interpreter. A copy of it in a
virtual environment of its own is byte for byte the program that a user runs, on the same libssl, under a name that
tells the clients apart in Prometheus.
"""

from __future__ import annotations

import shutil
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path


def named_interpreters(folder: Path, names: Iterable[str]) -> dict[str, Path]:
    """Return one copy of the running interpreter per name, in `folder`, that imports what this one does."""
    original = Path(sys.executable).resolve()
    site = folder / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    site.parent.mkdir(parents=True)
    site.symlink_to(sysconfig.get_path("purelib"))
    (folder / "pyvenv.cfg").write_text(f"home = {original.parent}\ninclude-system-site-packages = false\n")
    (folder / "bin").mkdir()
    paths = {name: folder / "bin" / name for name in names}
    for path in paths.values():
        shutil.copy2(original, path)
    return paths
