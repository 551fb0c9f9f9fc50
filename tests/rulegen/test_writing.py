from __future__ import annotations

import os
from pathlib import Path

import pytest

from llmslo_rulegen import writing
from llmslo_rulegen.errors import OutputError
from llmslo_rulegen.file import File
from llmslo_rulegen.headers import header

OURS = header("rules/a.yaml", "1.0", ("slo.yaml",))


def write(folder: Path, files: dict[str, str], stale: tuple[str, ...] = ()) -> writing.Written:
    chunked = [File(path, iter([text[:9], text[9:]])) for path, text in files.items()]
    return writing.write(folder, chunked, lambda _: stale)


def tree(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_what_was_written_and_what_was_already_there_is_told_apart(tmp_path):
    files = {"rules/a.yaml": OURS + "a", "tests/b.yaml": OURS + "b"}
    assert write(tmp_path, files).written == ("rules/a.yaml", "tests/b.yaml")
    before = (tmp_path / "tests/b.yaml").stat().st_mtime_ns
    done = write(tmp_path, files | {"rules/a.yaml": OURS + "c"})
    assert (done.written, done.unchanged) == (("rules/a.yaml",), ("tests/b.yaml",))
    assert (tmp_path / "tests/b.yaml").stat().st_mtime_ns == before
    assert tree(tmp_path) == files | {"rules/a.yaml": OURS + "c"}


@pytest.mark.parametrize("text", ["groups: []\n", "", "# Rendered by somebody else\n", "\n" + OURS])
def test_a_file_that_does_not_carry_our_header_stops_everything(tmp_path, text):
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules/z.yaml").write_text(text)
    with pytest.raises(OutputError, match=r"rules/z\.yaml does not begin with .*: move it away"):
        write(tmp_path, {"rules/a.yaml": OURS, "rules/z.yaml": OURS})
    assert tree(tmp_path) == {"rules/z.yaml": text}


def test_links_and_folders_in_the_way_stop_everything(tmp_path):
    (tmp_path / "rules/b.yaml").mkdir(parents=True)
    (tmp_path / "elsewhere").write_text(OURS)
    (tmp_path / "rules/c.yaml").symlink_to(tmp_path / "elsewhere")
    for name, message in [("b", "is no file"), ("c", "is a link")]:
        with pytest.raises(OutputError, match=message):
            write(tmp_path, {"rules/a.yaml": OURS, f"rules/{name}.yaml": OURS + "x"})
    assert tree(tmp_path) == {"elsewhere": OURS, "rules/c.yaml": OURS}


def test_a_folder_that_is_a_link_leads_nowhere_else(tmp_path):
    for name in ("elsewhere", "out", "real"):
        (tmp_path / name).mkdir()
    (tmp_path / "out/rules").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OutputError, match=r"out/rules is a link, what is written there would stand elsewhere"):
        write(tmp_path / "out", {"tests/a.yaml": OURS, "rules/deep/a.yaml": OURS})
    assert tree(tmp_path) == {}
    (tmp_path / "link").symlink_to("real")
    assert write(tmp_path / "link", {"rules/a.yaml": OURS}).written == ("rules/a.yaml",)
    assert tree(tmp_path / "real") == {"rules/a.yaml": OURS}


def test_nothing_is_half_written_when_one_file_cannot_be(tmp_path):
    (tmp_path / "tests").write_text("a file where a folder is needed")
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules/a.yaml").write_text(OURS + "before")
    with pytest.raises(OutputError, match="cannot write"):
        write(tmp_path, {"rules/a.yaml": OURS + "after", "tests/b.yaml": OURS})
    assert tree(tmp_path) == {"rules/a.yaml": OURS + "before", "tests": "a file where a folder is needed"}


def test_files_are_as_readable_as_the_umask_says(tmp_path):
    write(tmp_path, {"rules/a.yaml": OURS})
    mask = os.umask(0)
    os.umask(mask)
    assert (tmp_path / "rules/a.yaml").stat().st_mode & 0o777 == 0o666 & ~mask


def test_only_files_with_our_header_in_our_folders_are_ours(tmp_path):
    write(
        tmp_path,
        {
            "rules/a.yaml": OURS,
            "runbooks/a.md": header(
                "a.md",
                "1.0",
                (
                    "x.yaml",
                    "y.yaml",
                ),
            ),
        },
    )
    for name in ("rules/hand.yaml", "own.yaml"):
        (tmp_path / name).write_text("groups: []\n")
    (tmp_path / "copied.yaml").write_text(OURS)
    assert dict(writing.ours(tmp_path)) == {"rules/a.yaml": ("slo.yaml",), "runbooks/a.md": ("x.yaml", "y.yaml")}


def test_what_is_stale_goes_last_and_is_asked_for_with_every_path(tmp_path):
    write(tmp_path, {"rules/a.yaml": OURS, "rules/b.yaml": OURS})
    asked = []
    files = [File("rules/a.yaml", iter([OURS])), File("rules/c.yaml", iter([OURS]))]
    done = writing.write(tmp_path, files, lambda paths: asked.append(set(paths)) or ["rules/b.yaml"])
    assert asked == [{"rules/a.yaml", "rules/c.yaml"}]
    assert done == writing.Written(("rules/c.yaml",), ("rules/a.yaml",), ("rules/b.yaml",))
    assert tree(tmp_path).keys() == {"rules/a.yaml", "rules/c.yaml"}


def test_a_bug_while_rendering_leaves_nothing_behind(tmp_path):
    def chunks():
        yield OURS
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        writing.write(tmp_path, [File("rules/a.yaml", iter([OURS])), File("rules/b.yaml", chunks())])
    assert tree(tmp_path) == {}


def test_what_waits_for_its_name_is_not_stale(tmp_path):
    """A rendered file that changes is beside its target while it is asked what is stale."""
    write(tmp_path, {"rules/a.yaml": OURS})
    files = [File("rules/a.yaml", iter([OURS, "b"]))]
    done = writing.write(tmp_path, files, lambda paths: {path for path, _ in writing.ours(tmp_path)} - {*paths})
    assert done == writing.Written(("rules/a.yaml",), (), ())
    assert tree(tmp_path) == {"rules/a.yaml": OURS + "b"}


@pytest.mark.parametrize("out", ["new", "new/deep", "new/../other", "."])
def test_folders_that_are_missing_are_made_and_nothing_else(tmp_path, monkeypatch, out):
    monkeypatch.chdir(tmp_path)
    files = {"rules/a.yaml": OURS, "alertmanager/rules/a.yaml": OURS, "alertmanager/b.yaml": OURS}
    assert write(Path(out), files).written == tuple(sorted(files))
    assert tree(tmp_path / out) == files
    assert [path for path in tmp_path.rglob("*") if path.name.startswith(".")] == []


def test_a_folder_that_cannot_come_leaves_no_other(tmp_path):
    (tmp_path / "tests").symlink_to(tmp_path / "nowhere")
    with pytest.raises(OutputError, match="tests is a link"):
        write(tmp_path, {"rules/a.yaml": OURS, "tests/b.yaml": OURS})
    assert [path.name for path in tmp_path.iterdir()] == ["tests"]


@pytest.mark.parametrize("out", ["file", "file/below"])
def test_a_file_where_the_folder_should_be_is_said(tmp_path, out):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputError, match="file, a file stands where a folder is needed"):
        write(tmp_path / out, {"rules/a.yaml": OURS})
    assert tree(tmp_path) == {"file": "mine"}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_said(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="Permission denied"):
        write(tmp_path / "out", {"rules/a.yaml": OURS})
