"""SLO files of somebody who means harm, or of a broken editor: one clear line, exit 1, nothing written, bounded.

What is large, or may grow, runs in a process of its own whose memory the kernel bounds: 400 MB of address space, which
loading the command alone takes a third of.
"""

from __future__ import annotations

import os
import resource
import subprocess
from pathlib import Path

import pytest

from tests.rulegen.test_cli import COMMAND, run

HEAD = b"version: llmslo/v1\nservice: bot\nslos:\n"
SPACE_BYTES = 400 << 20
LIMIT_S = 100
LARGE_BYTES = 50_000
NAMES = (
    "../../x",
    "/etc/passwd",
    "..",
    "a/../b",
    "a\\..\\b",
    "C:\\x",
    "a\0b",
    "x" * 300,
    ".hidden",
    "-rf",
    "--out",
    "a b",
    "a\nb",
    "\u202egnp.exe",
    "\u0430\u0431",
    "e\u0301e\u0301",
    "\ufeffabc",
    "%2e%2e%2fx",
    "${HOME}x",
    "$(touch x)",
    "{{ .x }}",
    "a:b",
    "a*b",
    "a|b",
    "~root",
    "\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"),
)
# Reserved on Windows; on this file system they are names as any other, and the ending makes them so on most others.
RESERVED = ("CON", "nul", "COM1", "aux.yaml", "LPT9")


def slo(text=b"- {name: one, sli: ttft, objective: 95}\n"):
    return HEAD + text


def own(expression):
    return slo(b"- {name: one, objective: 95, sli: {ratio: " + expression + b"}}\n")


BOMB = b"\n".join(
    [b"a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    + [b"a%d: &a%d [%s]" % (n, n, b", ".join([b"*a%d" % (n - 1)] * 9)) for n in range(1, 12)]
)
MERGES = b"a0: &a0 {k: v}\n" + b"".join(
    b"a%d: &a%d {<<: [%s]}\n" % (n, n, b", ".join([b"*a%d" % (n - 1)] * 9)) for n in range(1, 12)
)
CORPUS = {
    "nothing": b"",
    "blanks": b" \n\t\n",
    "only comments": b"# nothing\n",
    "lists in lists": slo(b"- [" * 50_000),
    "maps in maps": slo(b"{a: " * 50_000),
    "blocks in blocks": b"".join(b" " * n + b"a:\n" for n in range(2_000)),
    "dashes": b"- " * 100_000,
    "anchors that explode": BOMB,
    "merges that explode": MERGES,
    "an anchor within itself": b"a: &a {b: *a}\n",
    "an alias without anchor": b"version: *x\n",
    "a merge of a scalar": b"<<: 5\n",
    "a huge scalar": slo(b"- {name: one, sli: ttft, objective: 95, description: " + b"x" * (10 << 20) + b"}\n"),
    "a huge scalar within the bound": slo(b"- {name: " + b"x" * (7 << 20) + b", sli: ttft, objective: 95}\n"),
    "a huge expression": own(b"'" + b"a + " * 1_000_000 + b"a'"),
    "a huge key": b"x" * (7 << 20) + b": 1\n",
    "many keys": b"".join(b"k%d: 1\n" % n for n in range(200_000)),
    "many slos": slo(b"- {name: one, sli: ttft, objective: 95}\n" * 150_000),
    "many wrong slos": slo(b"- {}\n" * 150_000),
    "many wrong tiers": slo(
        b"- {name: one, sli: ttft, objective: 95, alerting: {tiers: [" + b"{}, " * 150_000 + b"]}}\n"
    ),
    "many wrong tiers of many": slo(
        b"".join(
            b"- {name: n%d, sli: ttft, objective: 95, alerting: {tiers: [%s]}}\n" % (n, b"{}, " * 400)
            for n in range(1_000)
        )
    ),
    "many documents": b"---\na: 1\n" * 100_000,
    "many labels": b"version: llmslo/v1\nservice: bot\nlabels: {"
    + b"".join(b"l%d: {}, " % n for n in range(50_000))
    + b"}\n",
    "a long line of digits": slo(b"- {name: one, sli: ttft, objective: " + b"9" * 1_000_000 + b"}\n"),
    "an exponent": slo(b"- {name: one, sli: ttft, objective: 1e999999999}\n"),
    "not a number": slo(b"- {name: one, sli: ttft, objective: .nan}\n"),
    "infinite": slo(b"- {name: one, sli: ttft, objective: .inf}\n"),
    "minus infinite": slo(b"- {name: one, sli: ttft, objective: 95, threshold: -.inf}\n"),
    "a long duration": slo(b"- {name: one, sli: ttft, objective: 95, window: " + b"9" * 50 + b"y}\n"),
    "zero": slo(b"- {name: one, sli: ttft, objective: 0}\n"),
    "a date": slo(b"- {name: 2026-01-01, sli: ttft, objective: 2026-01-01}\n"),
    "a key twice": slo(b"- {name: one, name: two, sli: ttft, objective: 95}\n"),
    "a key that is a list": b"? [a, b]\n: c\n",
    "a tag of Python": b"version: !!python/object/apply:os.system [touch x]\n",
    "a tag of Python, name": b"version: !!python/name:os.system\n",
    "a tag of its own": b"version: !evil x\n",
    "binary": b"version: !!binary aGFsbG8=\n",
    "a directive": b"%TAG ! tag:evil,2000:\n---\nversion: llmslo/v1\n",
    "UTF-16": slo().decode().encode("utf-16"),
    "UTF-16 without a mark": slo().decode().encode("utf-16-le"),
    "UTF-32": slo().decode().encode("utf-32"),
    "Latin-1": slo(b"- {name: one, sli: ttft, objective: 95, description: \xe4}\n"),
    "a lone surrogate": slo(b"- {name: one, sli: ttft, objective: 95, description: \xed\xa0\x80}\n"),
    "overlong UTF-8": slo(b"- {name: \xc0\xaf\xc0\xaf, sli: ttft, objective: 95}\n"),
    "NUL bytes": slo() + b"\0\0\0",
    "an escape sequence": slo(b"- {name: one, sli: \x1b[2J, objective: 95}\n"),
    "an escaped escape sequence": slo(b'- {name: "a\\x1b[2Jb", sli: ttft, objective: 95}\n'),
    "a program": b"\x7fELF\x02\x01\x01" + bytes(range(256)) * 100,
    "a zip": b"PK\x03\x04" + b"\x00\xff" * 1_000,
    "HTML": b"<!DOCTYPE html><html><body>Not found</body></html>\n",
    "JSON of another kind": b'{"kind": "List", "items": []}\n',
    "a merge conflict": b"<<<<<<< HEAD\n" + slo() + b"=======\n" + slo() + b">>>>>>> main\n",
    "tabs": slo(b"\t- {name: one, sli: ttft, objective: 95}\n"),
    "another version": b"version: llmslo/v999\n",
    "a version that is a list": b"version: [llmslo/v1]\n",
    "slos that are a map": b"version: llmslo/v1\nservice: bot\nslos: {name: one}\n",
    "a regex that backtracks": slo(
        b"- name: one\n  sli:\n"
        b'    bad: \'sum(rate(a{b=~"(a+)+$",b!~"((a*)*)*c",b="' + b"a" * 40 + b"b\"}[{{window}}]))'\n"
        b"    total: 'sum(rate(a{b=~\"(a|a)*$\"}[{{window}}]))'\n  objective: 5\n"
    ),
    "parentheses in PromQL": own(b"'" + b"(" * 5_000 + b"a" + b")" * 5_000 + b"'"),
    "a chain in PromQL": own(b"'" + b" + ".join([b"a"] * 2_000) + b"'"),
    "a quote in PromQL": own(b"'sum(a{b=\"'"),
    "a comment in PromQL": own(b"'a # b'"),
    "text that ends a rule": own(b"'a\n      - record: evil'"),
    "MetricsQL": own(b'\'sum(a{b="c" or d="e"})\''),
    "a huge regex": slo(
        b"- {name: one, sli: ttft, objective: 95, select: {model: '~" + b"(a{1,1000}){1,1000}" + b"'}}\n"
    ),
    "equal names": slo(b"- {name: one, sli: ttft, objective: 95}\n- {name: ONE, sli: ttft, objective: 95}\n"),
    "equal file names": slo(b"- {name: a-b.c, sli: ttft, objective: 95}\n")
    + b"---\nversion: llmslo/v1\nservice: bot-a\nslos: [{name: b.c, sli: ttft, objective: 95}]\n",
    **{
        f"the type of {key}: {text.decode()}": slo(b"- {name: one, sli: ttft, objective: 95}\n").replace(
            b"objective: 95", b"objective: 95, %s: %s" % (key.encode(), text)
        )
        if key not in {"name", "sli", "objective"}
        else slo(
            b"- {%s}\n"
            % b", ".join(
                b"%s: %s" % (name, text if name == key.encode() else value)
                for name, value in ((b"name", b"one"), (b"sli", b"ttft"), (b"objective", b"95"))
            )
        )
        for key in ("name", "sli", "objective", "window", "threshold", "select", "group_by", "alerting", "low_traffic")
        for text in (b"[[]]", b"{a: {b: c}}", b"-1", b".nan", b"[[1]]")
    },
    **{f"the name {name!r}"[:60]: None for name in NAMES},
}


def document(name):
    found = CORPUS[name]
    if found is not None:
        return found
    (hostile,) = [one for one in NAMES if f"the name {one!r}"[:60] == name]
    quoted = "".join(f"\\U{ord(char):08x}" for char in hostile)
    return slo(f'- {{name: "{quoted}", sli: ttft, objective: 95}}\n'.encode())


def ran(folder, command):
    """Run the command where its memory and its time are bounded; return its exit code, output and talk."""

    def bound():
        resource.setrlimit(resource.RLIMIT_AS, (SPACE_BYTES, SPACE_BYTES))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    found = subprocess.run(
        [COMMAND, *command],
        cwd=folder,
        env={**os.environ, "PATH": ""},  # promtool wants more than that only to begin
        capture_output=True,
        timeout=LIMIT_S,
        check=False,
        preexec_fn=bound,
    )
    return found.returncode, found.stdout.decode(), found.stderr.decode()


@pytest.fixture
def told(monkeypatch, capsys):
    """Run the command on a document, beside the test where it is small and cannot grow."""

    def tell(name, folder, command):
        if len(document(name)) > LARGE_BYTES or "explode" in name or "backtracks" in name:
            return ran(folder, command)
        monkeypatch.chdir(folder)
        code, out = run(*command)
        return code, out, capsys.readouterr().err

    return tell


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


@pytest.mark.parametrize("name", CORPUS)
def test_a_hostile_file_is_refused_in_clear_lines_and_nothing_is_written(name, tmp_path, told):
    folder = tmp_path / "inner" / "folder"
    folder.mkdir(parents=True)
    (folder / "slo.yaml").write_bytes(document(name))
    code, out, said = told(name, folder, ["render", "slo.yaml", "--out", "out"])
    assert (code, out) == (1, ""), said[-500:]
    lines = said.splitlines()
    assert 1 <= len(lines) <= 101
    assert all(line.startswith("slo.yaml") and ": error: " in line for line in lines if ": warning: " not in line), (
        said[:500]
    )
    assert all(line.isprintable() and len(line) < 1_000 for line in lines)
    assert files(tmp_path) == ["inner", "inner/folder", "inner/folder/slo.yaml"]


@pytest.mark.parametrize(
    "name", ["anchors that explode", "many wrong slos", "a regex that backtracks", "the name '../../x'"]
)
@pytest.mark.parametrize("form", ["sarif", "junit", "github", "gitlab", "text"])
def test_check_and_its_reports_stand_it_too(name, form, tmp_path):
    (tmp_path / "slo.yaml").write_bytes(document(name))
    code, _, said = ran(tmp_path, ["check", "slo.yaml", f"--format={form}"])
    assert code == 1, said[-500:]
    assert files(tmp_path) == ["slo.yaml"]


def test_a_regex_that_backtracks_takes_no_time_in_lints_and_tests(tmp_path):
    """The document is valid but for its objective: with 95 it is linted, and its tests are made."""
    (tmp_path / "slo.yaml").write_bytes(document("a regex that backtracks").replace(b"objective: 5", b"objective: 95"))
    code, out, _ = ran(tmp_path, ["check", "slo.yaml", "--json"])
    assert code == 0, out
    assert ran(tmp_path, ["render", "slo.yaml", "--out", "out"])[0] == 0


@pytest.mark.parametrize("name", RESERVED)
def test_names_that_one_system_reserves_stay_inside_of_the_folder(name, tmp_path):
    (tmp_path / "slo.yaml").write_bytes(slo(f"- {{name: {name}, sli: ttft, objective: 95}}\n".encode()))
    assert ran(tmp_path, ["render", "slo.yaml", "--out", "out", "--no-tests"])[0] == 0
    assert {path.split("/")[0] for path in files(tmp_path)} == {"out", "slo.yaml"}


def test_carriage_returns_and_a_byte_order_mark_are_fine(tmp_path):
    for number, raw in enumerate((slo().replace(b"\n", b"\r"), b"\xef\xbb\xbf" + slo().replace(b"\n", b"\r\n"))):
        (tmp_path / "slo.yaml").write_bytes(raw)
        assert ran(tmp_path, ["render", "slo.yaml", "--out", f"out{number}", "--no-tests"])[0] == 0
    assert (tmp_path / "out0/rules/bot.yaml").read_bytes() == (tmp_path / "out1/rules/bot.yaml").read_bytes()


@pytest.mark.parametrize("option", ["--rules", "--alertmanager"])
@pytest.mark.parametrize(
    "name",
    [
        "nothing",
        "lists in lists",
        "anchors that explode",
        "UTF-16",
        "a program",
        "HTML",
        "many keys",
        "a tag of its own",
    ],
)
def test_files_beside_are_read_with_the_same_care(option, name, tmp_path, told, monkeypatch):
    monkeypatch.setenv("PATH", "")
    (tmp_path / "slo.yaml").write_bytes(slo())
    (tmp_path / "other.yaml").write_bytes(document(name))
    code, _, said = told(name, tmp_path, ["check", "slo.yaml", option, "other.yaml"])
    assert code == (0 if name == "nothing" and option == "--rules" else 1), said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    "name", ["lists in lists", "anchors that explode", "UTF-16", "a huge scalar", "another version"]
)
def test_diff_refuses_it_on_either_side(name, tmp_path, told):
    (tmp_path / "good.yaml").write_bytes(slo())
    (tmp_path / "bad.yaml").write_bytes(document(name))
    for words in (["good.yaml", "bad.yaml"], ["bad.yaml", "good.yaml"]):
        code, out, said = told(name, tmp_path, ["diff", *words])
        assert (code, out) == (1, "")
        assert said.startswith("bad.yaml")


def test_paths_that_hold_anything_are_said_in_one_line(tmp_path):
    name = "a\nb\x1b[2J\udcff.yaml"
    path = Path(str(tmp_path)) / name
    with open(path, "wb") as file:  # noqa: PTH123 -- a name that is no text
        file.write(b"version: 5\n")
    code, out, _ = ran(tmp_path, ["check", path])
    assert code == 1
    assert out.count("\n") <= 3
    assert "\x1b" not in out
