"""What a user installs: both packages, both commands, and the BPF sources beside them."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*command, "--wheel-dir", folder, ROOT], check=True, timeout=100)
    with zipfile.ZipFile(next(folder.glob("llmslo-*.whl"))) as archive:
        yield archive


def test_the_wheel_holds_every_module_under_its_import_name(wheel):
    modules = {
        str(path.relative_to(ROOT / folder))
        for folder in ("exporter", "rulegen")
        for path in (ROOT / folder).rglob("*.py")
    }
    assert modules <= set(wheel.namelist())


def test_the_wheel_holds_the_bpf_object_and_its_sources_and_licence(wheel):
    built = {f"llmslo_exporter/{path.relative_to(ROOT)}" for path in (ROOT / "bpf").rglob("*") if path.is_file()}
    assert "llmslo_exporter/bpf/llmslo.bpf.o" in built
    assert built <= set(wheel.namelist())


def test_the_wheel_has_both_commands_and_nothing_beside_the_packages(wheel):
    entries = next(name for name in wheel.namelist() if name.endswith("entry_points.txt"))
    text = wheel.read(entries).decode()
    assert "llmslo-exporter = llmslo_exporter.__main__:main" in text
    assert "llmslo-rulegen = llmslo_rulegen.__main__:main" in text
    tops = {name.split("/", maxsplit=1)[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.startswith("llmslo-")} == {"llmslo_exporter", "llmslo_rulegen"}
