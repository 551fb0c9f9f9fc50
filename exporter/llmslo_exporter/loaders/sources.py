"""Where the BPF sources and the object are: beside the package in a checkout, inside it once installed."""

from __future__ import annotations

from pathlib import Path

from llmslo_exporter.errors import SetupError

_PACKAGE = Path(__file__).resolve().parent.parent
OBJECT, SOURCE, HEADERS, TABLE = "llmslo.bpf.o", "llmslo.bpf.c", "headers", "llmslo.table"


def bpf_file(name: str) -> Path:
    """Return the path of a file of bpf/; raise SetupError if the installation lacks it."""
    for folder in (_PACKAGE / "bpf", _PACKAGE.parent.parent / "bpf"):
        if (folder / name).exists():
            return folder / name
    msg = f"bpf/{name} is missing from the installation; `make build` makes it in a checkout"
    raise SetupError(msg)
