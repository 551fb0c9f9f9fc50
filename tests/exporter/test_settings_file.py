"""The settings file as the file system has it: replaced, turned, or no file at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from llmslo_exporter.errors import ConfigurationError
from llmslo_exporter.options import Options
from llmslo_exporter.settings_file import MAX_BYTES, Source, bounded


def same(options):
    return options


def refusal(path):
    with pytest.raises(ConfigurationError) as error:
        bounded(Path(path))
    assert len(error.value.problems) == 1
    assert str(error.value).startswith(f"{path}: ")
    return str(error.value)


def test_a_file_is_read_whole(tmp_path):
    path = tmp_path / "x.yaml"
    path.write_bytes(b"a" * MAX_BYTES)
    assert bounded(path) == b"a" * MAX_BYTES


def test_what_is_no_file_is_named_and_nothing_waits(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    (tmp_path / "loop").symlink_to("loop")
    assert "found a directory, needed a regular file" in refusal(tmp_path)
    assert "found a pipe" in refusal(pipe)
    assert "found a device" in refusal("/dev/zero")
    assert "No such file" in refusal(tmp_path / "missing")
    assert "Too many levels" in refusal(tmp_path / "loop")
    assert "null" in refusal("a\0b")


def test_ten_gigabytes_are_refused_without_reading_them(tmp_path):
    path = tmp_path / "huge.yaml"
    with path.open("wb") as file:
        file.truncate(10 << 30)
    assert f"more than {MAX_BYTES} bytes" in refusal(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_of_somebody_else(tmp_path):
    path = tmp_path / "x.yaml"
    path.touch(mode=0o000)
    assert "Permission denied" in refusal(path)


def test_a_link_that_was_turned_leads_to_the_new_file(tmp_path):
    """As Kubernetes replaces a ConfigMap: ..data is another link at once."""
    for name, level in (("old", "debug"), ("new", "error")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.yaml").write_text(f"log: {{level: {level}}}")
    (tmp_path / "..data").symlink_to("old")
    (tmp_path / "x.yaml").symlink_to("..data/x.yaml")
    source = Source(tmp_path / "x.yaml", same)
    assert source.read().log_level == "debug"
    (tmp_path / "..data_tmp").symlink_to("new")
    (tmp_path / "..data_tmp").rename(tmp_path / "..data")
    assert source.read().log_level == "error"


def test_without_a_file_there_are_the_defaults():
    assert Source(None, same).read() == Options()
