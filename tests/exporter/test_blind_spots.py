"""The survey of processes: real ones of this machine, some with a program made to be seen."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

from llmslo_exporter.blind_spots import Survey
from llmslo_exporter.exclusions import Exclusions
from llmslo_exporter.tls_marks import BlindSpot

SLEEP = shutil.which("sleep")


@contextmanager
def process(program, *arguments):
    child = subprocess.Popen([program, *arguments], stdout=subprocess.DEVNULL)
    try:
        until_s = time.monotonic() + 20.0
        while os.path.realpath(f"/proc/{child.pid}/exe") != os.path.realpath(program):
            assert time.monotonic() < until_s
        yield child
    finally:
        child.kill()
        child.wait()


def program(folder, name, *literals):
    """A real program with these bytes at its end, as large as one that holds a TLS."""
    path = folder / name
    path.write_bytes(Path(SLEEP).read_bytes() + bytes(1 << 20) + b"".join(literals))
    path.chmod(0o755)
    return str(path)


def only(view, name):
    return [spot for spot in view.blind_spots if spot.process == name]


def test_a_program_with_a_tls_of_its_own_is_counted_by_name(tmp_path):
    made = program(tmp_path, "gopher-x", b"\xff Go buildinf:", b"crypto/tls.(*Conn)")
    with process(made, "60"), process(made, "60"):
        view = Survey(Exclusions()).view()
    assert only(view, "gopher-x") == [BlindSpot("Go crypto/tls", "gopher-x", 2)]


def test_who_is_excluded_is_named_and_not_looked_into(tmp_path):
    made = program(tmp_path, "rusty-x", b"/rustls-0.23.1/src")
    with process(made, "60"):
        view = Survey(Exclusions(("rusty-*",))).view()
    assert view.excluded == (("rusty-x", 1),)
    assert only(view, "rusty-x") == []


def test_a_program_that_was_deleted_is_still_seen_by_root(tmp_path):
    made = program(tmp_path, "gone-x", b"/rustls-0.23.1/src")
    with process(made, "60"):
        Path(made).unlink()
        view = Survey(Exclusions()).view()
    if os.geteuid() == 0:
        assert only(view, "gone-x") == [BlindSpot("rustls", "gone-x", 1)]


def test_without_time_files_are_counted_not_guessed(tmp_path):
    made = program(tmp_path, "late-x", b"/rustls-0.23.1/src")
    with process(made, "60"):
        view = Survey(Exclusions(), patience_s=0.0).view()
    assert view.files_left > 0
    assert only(view, "late-x") == []


def test_a_python_with_openssl_is_seen(tmp_path):
    ready = tmp_path / "ready"
    code = f"import ssl, time, pathlib; pathlib.Path({str(ready)!r}).touch(); time.sleep(60)"
    with process(sys.executable, "-c", code) as child:
        until_s = time.monotonic() + 20.0
        while not ready.exists():
            assert time.monotonic() < until_s
        name = Path(f"/proc/{child.pid}/exe").readlink().name
        view = Survey(Exclusions()).view()
    assert name in dict(view.seen)


def test_processes_and_files_that_vanish_are_no_error(tmp_path):
    """A /proc of our own, in which every file is another kind of wrong."""
    for pid, files in {"1": {}, "2": {"maps": b"\xff\xfe"}, "3": {"maps": b"0-1 r-xp 0 0:0 1 /nowhere\n"}}.items():
        folder = tmp_path / pid
        folder.mkdir()
        (folder / "exe").symlink_to(f"/bin/p{pid}")
        (folder / "stat").write_bytes(f"{pid} (x) S {' '.join(['1'] * 30)}".encode())
        (folder / "cgroup").write_bytes(b"0::/\n")
        for name, content in files.items():
            (folder / name).write_bytes(content)
    (tmp_path / "4").mkdir()
    view = Survey(Exclusions(), proc=tmp_path).view()
    assert (view.processes, view.seen, view.blind_spots) == (3, (), ())
