"""A busy process that calls no model pays nothing; nobody else is missed for it."""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from llmslo_exporter.exclusions import Exclusions
from llmslo_exporter.leaving_out import Reason
from llmslo_exporter.summary import Role
from tests.e2e.answers import chat
from tests.e2e.clients import PATIENCE_S
from tests.e2e.daemon import ROOT
from tests.e2e.lab import Lab
from tests.kernel.inside import HASTE, Busy, Inside, busy, wait_for

pytestmark = pytest.mark.timeout(120)
ANSWER = chat(5, 3.0, usage=(2, 5))
SIZE = str(len(ANSWER.data))
INTERPRETER = Path(sys.executable).resolve().name
CLIENT = """
import sys
from tests.e2e.clients import Raw, request_bytes
conn = Raw(int(sys.argv[1]), sys.argv[2])
conn.send(*request_bytes(sys.argv[3]))
conn.read(int(sys.argv[4]))
"""
CLIENTS = 7
NO_LINKS = "this kernel has no links of user probes (Linux 6.6): nobody is left out with bcc"


@pytest.fixture
def inside(loader: str) -> Iterator[Inside]:
    with Inside(loader) as tracer:
        if not tracer.loader.attaches_at_once:
            pytest.skip(NO_LINKS)
        yield tracer


@pytest.fixture
def server(lab: Lab) -> Iterator[Busy]:
    with busy(lab.server.tls, lab.cert) as process:
        yield process


def _client(lab: Lab, model: str) -> None:
    command = [sys.executable, "-c", CLIENT, str(lab.server.tls), lab.cert, model, SIZE]
    subprocess.run(command, cwd=ROOT, check=True, timeout=60)


def test_left_out_it_runs_no_probe_and_others_are_seen_or_late(lab: Lab, inside: Inside, server: Busy) -> None:
    """The clients are new processes that use the same library and live for a moment."""
    inside.wait_left_out(server.pid)
    (left,) = [left for left in inside.tracer.left_out() if left.pid == server.pid]
    assert left.reason is Reason.BACKOFF
    assert (left.calls_per_s or 0) > 200
    assert left.next_look_s is not None
    wait_for(lambda: _is_still(inside, server.pid), "its calls are still counted", 5.0)
    models = [lab.new("spared", ANSWER) for _ in range(CLIENTS)]
    for model in models:
        late = inside.tracer.counts.late_attach
        _client(lab, model)
        inside.seen.expect(model, Role.SERVER)
        wait_for(
            lambda model=model, late=late: inside.seen.count(model) or inside.tracer.counts.late_attach > late,
            "neither seen nor counted as late",
        )
    assert any(inside.seen.count(model) == 1 for model in models)
    wait_for(lambda: inside.tracer.left_out_s()[Reason.BACKOFF] > 0, "no time told")


def _is_still(inside: Inside, pid: int) -> bool:
    before = inside.calls(pid)
    time.sleep(0.3)
    return inside.is_left_out(pid) and inside.calls(pid) == before


def test_it_is_looked_at_again(inside: Inside, server: Busy) -> None:
    inside.wait_left_out(server.pid)
    inside.wait_left_out(server.pid, wanted=False)
    inside.wait_left_out(server.pid)


def test_one_that_becomes_quiet_stays(lab: Lab, inside: Inside, server: Busy) -> None:
    inside.wait_left_out(server.pid)
    server.tell("rest")
    inside.wait_left_out(server.pid, wanted=False)
    model = lab.new("quiet", ANSWER)
    server.tell("ask", model, SIZE, "localhost")
    inside.seen.expect(model)


def test_one_that_opens_a_connection_to_a_provider_is_let_in_at_once(lab: Lab, inside: Inside, server: Busy) -> None:
    inside.wait_left_out(server.pid)
    model = lab.new("named", ANSWER)
    server.tell("ask", model, SIZE, "api.openai.com")
    inside.seen.expect(model)


def test_a_gateway_that_passes_an_llm_call_on_without_tls_is_let_in_at_once(lab: Lab, loader: str) -> None:
    """Its own TLS is where the call came from; the next look is a minute away."""
    patience = replace(HASTE, first_pause_s=60.0)
    with Inside(loader, patience=patience) as inside, busy(lab.server.tls, lab.cert) as server:
        if not inside.loader.attaches_at_once:
            pytest.skip(NO_LINKS)
        inside.wait_left_out(server.pid)
        model = lab.new("passed", ANSWER)
        server.tell("pass", model, SIZE, str(lab.server.plain))
        inside.seen.expect(model)
        inside.wait_left_out(server.pid, wanted=False)
        before = inside.calls(server.pid)
        wait_for(lambda: inside.calls(server.pid) > before + 2000, "its calls are not counted")
        assert not inside.is_left_out(server.pid)


def test_a_thread_inside_a_call_when_its_probes_go_is_not_inside_for_ever(
    lab: Lab, inside: Inside, server: Busy
) -> None:
    """It reads while its process is left out, gets a byte, and passes an LLM call on without TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(lab.cert, str(lab.folder / "key.pem"))
    model = lab.new("inside", ANSWER)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE_S)
        server.tell("hear", str(listener.getsockname()[1]), model, SIZE, str(lab.server.plain))
        with context.wrap_socket(listener.accept()[0], server_side=True) as conn:
            inside.wait_left_out(server.pid)
            conn.send(b"x")
            inside.seen.expect(model)


def test_one_that_made_an_llm_call_is_never_left_out(lab: Lab, loader: str) -> None:
    with Inside(loader) as inside, busy(lab.server.tls, lab.cert) as server:
        model = lab.new("caller", ANSWER)
        server.tell("ask", model, SIZE, "localhost")
        inside.seen.expect(model)
        before = inside.calls(server.pid)
        wait_for(lambda: inside.calls(server.pid) > before + 2000, "not busy")
        time.sleep(3 * HASTE.sample_s)
        assert not inside.is_left_out(server.pid)


def test_one_that_runs_another_program_is_a_new_process(lab: Lab, inside: Inside, server: Busy) -> None:
    """The same interpreter in the same process: nothing but the exec tells them apart."""
    inside.wait_left_out(server.pid)
    model = lab.new("exec", ANSWER)
    program = CLIENT.strip().replace(" ", "%").replace("\n", ";")
    server.tell("exec", program, str(lab.server.tls), lab.cert, model, SIZE)
    inside.seen.expect(model)


def test_nobody_is_left_out_where_newcomers_would_be_missed(lab: Lab, loader: str) -> None:
    with Inside(loader) as inside, busy(lab.server.tls, lab.cert) as server:
        wait_for(lambda: inside.calls(server.pid) > 2000, "not busy")
        if inside.loader.attaches_at_once:
            inside.wait_left_out(server.pid)
        else:
            time.sleep(3 * HASTE.sample_s)
            assert not inside.tracer.left_out()


def test_a_copy_of_a_process_is_seen_or_counted_as_late(lab: Lab, inside: Inside, server: Busy) -> None:
    """The server that forks for each connection maps nothing anew; its parent is no busy process."""
    inside.wait_left_out(server.pid)
    model = lab.new("forking", ANSWER)
    command = [sys.executable, "-c", CLIENT, str(lab.forking.tls), lab.cert, model, SIZE]
    subprocess.run(command, cwd=ROOT, check=True, timeout=60)
    inside.seen.expect(model)
    counts = inside.tracer.counts
    wait_for(lambda: bool(inside.seen.count(model, Role.SERVER) or counts.late_attach), "neither seen nor counted")


def test_who_is_excluded_is_left_out_from_its_first_call(lab: Lab, loader: str) -> None:
    with Inside(loader, [INTERPRETER]) as inside, busy(lab.server.tls, lab.cert) as server:
        inside.wait_left_out(server.pid)
        model = lab.new("excluded", ANSWER)
        server.tell("ask", model, SIZE, "api.openai.com")
        wait_for(lambda: inside.tracer.left_out_s()[Reason.EXCLUDE] > 0, "no time told")
        inside.tracer.reconfigure({}, Exclusions())
        inside.wait_left_out(server.pid, wanted=False)
        after = lab.new("included", ANSWER)
        server.tell("ask", after, SIZE, "localhost")
        inside.seen.expect(after)
        assert inside.seen.count(model) == 0


def test_the_end_of_a_process_ends_its_absence(inside: Inside, lab: Lab) -> None:
    with busy(lab.server.tls, lab.cert) as server:
        inside.wait_left_out(server.pid)
    wait_for(lambda: not inside.is_left_out(server.pid), "still left out", 15.0)
    wait_for(lambda: inside.loader.lookup("left_out", server.pid.to_bytes(4, "little")) is None, "still in the table")
