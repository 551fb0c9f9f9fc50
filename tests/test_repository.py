"""What must hold of the repository as a whole, whoever changes it."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

import pytest

from deploy.demo import queries
from llmslo_exporter import catalog

ROOT = Path(__file__).parent.parent
PACKAGES = {"llmslo_exporter": ROOT / "exporter", "llmslo_rulegen": ROOT / "rulegen"}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SPDX = "SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause"
# A package is asked for by name; where it comes from is the machine's business, as are the machine's folders.
HOSTS = re.compile(r"\b(?:pypi|pythonhosted|npmjs|crates|debian|maven|proxy\.golang)\.(?:org|com|io|net)\b")
FOLDERS = re.compile(r"(?<![\w.])/(?:root/|home/[a-z]+/|tmp/[a-z]|work/)")
METRIC = re.compile(r"\bllm_[a-z_]+")
NAMES = {  # packages whose module is called otherwise
    "backports.zstd": "backports",
    "opentelemetry-proto": "opentelemetry",
    "protobuf": "google",
    "pyyaml": "yaml",
}
TABLE_SUFFIXES = ("_sum", "_count", "_bucket")


@cache
def texts() -> dict[str, str]:
    """Return every text file that is or would be committed."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split("\0")
    found = {}
    for name in filter(None, names):
        path = ROOT / name
        if path.is_file() and b"\0" not in (data := path.read_bytes())[:8192]:
            found[name] = data.decode(errors="replace")
    return found


def modules() -> set[str]:
    """Return the dotted name of every module of both packages."""
    found = set()
    for package, folder in PACKAGES.items():
        for path in (folder / package).rglob("*.py"):
            parts = path.relative_to(folder).with_suffix("").parts
            found.add(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return found


@pytest.mark.parametrize(("what", "pattern"), [("registry host", HOSTS), ("machine path", FOLDERS)])
def test_no_file_names_a_machine(what, pattern):
    hits = [
        f"{name}:{number}: {what}: {line.strip()[:100]}"
        for name, text in texts().items()
        for number, line in enumerate(text.split("\n"), 1)
        if pattern.search(line)
    ]
    assert hits == []


def test_patterns_of_machines_find_them():
    assert HOSTS.search("index-url = files.pythonhosted" + ".org/simple")
    assert FOLDERS.search("cd /home/" + "somebody/llmslo")
    assert not FOLDERS.search("/proc/1/root/usr/lib")


def test_every_bpf_source_says_its_licence_in_its_first_line():
    sources = [path for path in (ROOT / "bpf").rglob("*") if path.suffix in {".c", ".h"}]
    assert sources
    assert [path.name for path in sources if SPDX not in path.read_text().split("\n", maxsplit=1)[0]] == []


def test_every_make_command_in_the_documents_exists():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    used = {
        (name, target)
        for name, text in texts().items()
        if name.endswith(".md") or name == ".ci/run"
        for target in re.findall(r"(?:^|[`$] ?|[0-9] )make ([a-z]+)\b", text, flags=re.MULTILINE)
    }
    assert {("README.md", "demo"), ("README.md", "setup"), (".ci/run", "test")} <= used
    assert {(name, target) for name, target in used if target not in targets} == set()


def test_the_architecture_page_names_every_module_and_no_other():
    page = (ROOT / "docs" / "architecture.md").read_text()
    named = set(re.findall(r"\*\*`(llmslo_(?:exporter|rulegen)[\w.]*)`\*\*", page))
    # One a line in the table of lints, which has its own test.
    lints = {name for name in modules() if name.startswith("llmslo_rulegen.lints.") and name not in named}
    listed = re.findall(r"\| `(\w+)` \|$", (ROOT / "docs" / "lints.md").read_text(), flags=re.MULTILINE)
    assert lints == {f"llmslo_rulegen.lints.{name}" for name in listed}
    assert named == modules() - lints


def test_the_catalog_imports_the_standard_library_only():
    trees = [ast.parse(path.read_text()) for path in Path(catalog.__file__).parent.glob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    imported = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "." * node.level for node in nodes if isinstance(node, ast.ImportFrom)}
    others = {name for name in imported if not name.startswith("llmslo_exporter.catalog.")}
    assert len(trees) > 1
    assert {name for name in others if name.split(".", maxsplit=1)[0] not in sys.stdlib_module_names} == set()


def test_every_metric_of_the_demos_queries_is_in_the_catalog():
    asked = {name for promql in queries.SHOWN.values() for name in METRIC.findall(promql)}
    known = {metric.name for metric in catalog.METRICS}
    known |= {name + suffix for name in known for suffix in TABLE_SUFFIXES}
    assert asked
    assert asked - known == set()


def test_every_direct_dependency_is_pinned():
    lines = [line for line in (ROOT / "constraints.txt").read_text().split("\n") if line and not line.startswith("#")]
    assert [line for line in lines if not re.fullmatch(r"[a-z0-9.-]+==[\w.!+]+", line)] == []
    pinned = {line.split("==")[0] for line in lines}
    groups = [PROJECT["project"]["dependencies"], *PROJECT["project"]["optional-dependencies"].values()]
    groups += PROJECT["dependency-groups"].values()
    direct = {re.split(r"[<>=!~\[ ]", one, maxsplit=1)[0] for group in groups for one in group}
    assert direct - pinned == set()


def test_the_packages_import_what_they_declare_and_declare_what_they_import():
    trees = [ast.parse(path.read_text()) for folder in PACKAGES.values() for path in folder.rglob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    imported = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    tops = {name.split(".", maxsplit=1)[0] for name in imported}
    extras = PROJECT["project"]["optional-dependencies"].values()
    groups = (PROJECT["project"]["dependencies"], *extras)
    declared = {re.split(r"[<>=]", one, maxsplit=1)[0] for group in groups for one in group}
    # The distribution ships bcc, no registry does; compression is in the standard library of later Pythons.
    named = {NAMES.get(name, name.replace("-", "_")) for name in declared}
    assert tops - sys.stdlib_module_names - PACKAGES.keys() - {"bcc", "compression"} == named


def test_every_ignored_rule_has_its_reason():
    text = (ROOT / "pyproject.toml").read_text()
    section = text.split("[tool.ruff.lint]")[1].split("[tool.mypy]")[0]
    rules = re.findall(r'^    "[A-Z]+[0-9]*",.*$', section, flags=re.MULTILINE)
    assert rules
    assert [rule for rule in rules if not re.search(r"# \S", rule)] == []
