"""Load and attach as the daemon does, libssl only, and say what each step took: `... tests.bench.opening LOADER`."""

import time

FIRST_S = time.monotonic()  # before any import of ours: the interpreter stands

import json  # noqa: E402
import os  # noqa: E402
import sys  # noqa: E402
from importlib import import_module  # noqa: E402
from pathlib import Path  # noqa: E402


def _memory_mb(field: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:")) / 1024


def main() -> None:
    """Print the instants at which the steps were done, as JSON."""
    loader_name = sys.argv[1]
    done = {"interpreter": FIRST_S}

    def mark(step: str) -> None:
        done[step] = time.monotonic()

    import_module("llmslo_exporter.daemon")
    loading = import_module("llmslo_exporter.loading")
    if loader_name == "bcc":
        sources = import_module("llmslo_exporter.loaders.sources")
        os.environ.setdefault("BCC_KERNEL_SOURCE", str(sources.bpf_file(sources.HEADERS)))
        import_module("bcc")
    probes = import_module("llmslo_exporter.probes")
    libraries = import_module("llmslo_exporter.libraries")
    imported_mb = _memory_mb("VmRSS")
    mark("imports")
    loader = loading.BccLoader() if loader_name == "bcc" else loading.LibbpfLoader(without=loading.unused_programs())
    mark("open and load")
    for number, part in enumerate(loading.tables()):
        loader.update("automata", number.to_bytes(4, "little"), part)
    mark("automaton read and written")
    found = libraries.Libraries()
    libssl = [path for path in libraries.installed("") if path.name.startswith("libssl")]
    targets = found.prepare(libssl)
    mark("sites found")
    standing = probes.Probes(loader, found)
    loader.open_ring(len)
    standing.attach_tracepoints()
    mark("tracepoints attached")
    standing.attach(targets)
    mark("libssl attached")
    memory = {"imported": imported_mb, "all": _memory_mb("VmRSS"), "peak": _memory_mb("VmHWM")}
    count = sum(len(target.sites) for target in targets)
    sys.stdout.write(json.dumps({"done": done, "memory_mb": memory, "sites": count}) + "\n")
    loader.close()


if __name__ == "__main__":
    try:
        main()
    except Exception as error:  # noqa: BLE001 -- one line for the table, whatever a loader raises
        sys.stdout.write(json.dumps({"error": " ".join(str(error).split())}) + "\n")
