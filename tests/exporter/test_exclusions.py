from __future__ import annotations

import pytest

from llmslo_exporter.exclusions import Exclusions, parse_exclusion

SLICE = "/system.slice/postgresql.service"


@pytest.mark.parametrize(
    ("pattern", "executable", "cgroup", "is_excluded"),
    [
        ("nginx", "/usr/sbin/nginx", "/", True),
        ("nginx", "/usr/sbin/nginx-debug", "/", False),
        ("nginx*", "/usr/sbin/nginx-debug", "/", True),
        ("nginx", "/opt/nginx/bin/python3", "/", False),
        ("/usr/sbin/*", "/usr/sbin/nginx", "/", True),
        ("/usr/sbin/nginx", "/opt/usr/sbin/nginx", "/", False),
        ("*/sbin/nginx", "/opt/usr/sbin/nginx", "/", True),
        ("cgroup:/system.slice/postgres*", "/usr/bin/x", SLICE, True),
        ("cgroup:/system.slice/postgres*", "/usr/bin/postgres", "/user.slice", False),
        ("postgresql*", "/usr/bin/x", SLICE, False),
        ("*", "", "", False),
        ("cgroup:*", "/x", "", False),
        ("Nginx", "/usr/sbin/nginx", "/", False),
    ],
)
def test_a_pattern_is_of_a_name_a_path_or_a_cgroup(pattern, executable, cgroup, is_excluded):
    assert parse_exclusion(pattern) == pattern
    assert Exclusions((pattern,)).excludes(executable, cgroup) is is_excluded


def test_any_pattern_will_do_and_none_excludes_nobody():
    assert Exclusions(("a", "b")).excludes("/bin/b", "/")
    assert not Exclusions().excludes("/bin/b", "/")


@pytest.mark.parametrize("text", ["", " ", "cgroup:", "cgroup:nginx", "bin/nginx", "a\nb", "\x1b[1m", "x" * 257])
def test_what_can_match_nothing_is_refused(text):
    with pytest.raises(ValueError, match="want"):
        parse_exclusion(text)
