"""Settings taken in while the exporter runs."""

from __future__ import annotations

import pytest

from llmslo_exporter.options import Options
from llmslo_exporter.reload import Reload
from llmslo_exporter.settings_file import Source


class Instance:
    """A reload over a file, what it applied, and a clock that counts its questions."""

    def __init__(self, path) -> None:
        self.path = path
        self.applied = []
        self.now = 0.0
        path.write_text("log: {level: warn}")
        self.source = Source(path, lambda options: options)
        self.reload = Reload(self.source, self.source.read(), self.applied.append, self.clock)

    def clock(self):
        self.now += 1.0
        return self.now


@pytest.fixture
def instance(tmp_path):
    return Instance(tmp_path / "x.yaml")


def test_the_start_counts_as_taken(instance):
    assert instance.reload.state() == (1.0, 1.0)


def test_good_settings_are_applied(instance):
    instance.path.write_text("limits: {models: 3}\nproviders: {h: p}")
    instance.reload.again()
    assert instance.reload.state() == (1.0, 2.0)
    (options,) = instance.applied
    assert (options.limits.models, options.provider_map, options.log_level) == (3, {"h": "p"}, "info")


@pytest.mark.parametrize("text", ["limits: {models: 0}", "[", "x: 1", "\x00"])
def test_bad_settings_change_nothing_and_good_ones_heal(instance, text, caplog):
    instance.path.write_text(text)
    instance.reload.again()
    assert instance.reload.state() == (0.0, 1.0)
    assert instance.applied == []
    assert len(caplog.records) == 1
    assert f"{instance.path}:1: " in caplog.records[0].reason
    instance.path.write_text("log: {level: debug}")
    instance.reload.again()
    assert instance.reload.state() == (1.0, 2.0)


def test_a_file_that_is_gone_or_a_directory_changes_nothing(instance):
    instance.path.unlink()
    instance.reload.again()
    instance.path.mkdir()
    instance.reload.again()
    assert instance.reload.state() == (0.0, 1.0)
    assert instance.applied == []


def test_what_needs_a_restart_stays_and_is_said_in_one_line(instance, caplog):
    instance.path.write_text("web: {listen_address: ':1'}\nloader: bcc\nbpf: {stats: true}\nlog: {level: error}")
    instance.reload.again()
    (options,) = instance.applied
    start = Options()
    assert (options.address, options.loader, options.bpf_stats) == (start.address, start.loader, False)
    assert options.log_level == "error"
    assert [r.settings for r in caplog.records if r.levelname == "WARNING"] == ["web.listen_address,loader,bpf.stats"]
    assert instance.reload.state() == (1.0, 2.0)
