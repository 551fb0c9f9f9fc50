from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from deploy.demo import alertmanager, slos
from deploy.demo.slow import slowed
from deploy.demo.webhook import Notification, webhook
from llmslo_exporter.catalog import TTFT
from llmslo_rulegen import durations

COUNTS = "import time\nwhile True: time.sleep(0.001)"


@pytest.fixture
def process():
    with subprocess.Popen([sys.executable, "-c", COUNTS]) as started:
        yield started
        started.kill()


def state(pid):
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_a_process_that_was_slowed_runs_on_whatever_ended_the_fault(process):
    seen = set()

    def fail_while_frozen():
        with slowed(process.pid, 20):
            deadline = time.monotonic() + 20
            while "T" not in seen and time.monotonic() < deadline:
                seen.add(state(process.pid))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail_while_frozen()
    assert "T" in seen
    assert state(process.pid) != "T"


def test_a_process_that_ended_while_slowed_is_no_error(process):
    with slowed(process.pid, 20):
        process.kill()
        process.wait()


def test_timers_run_faster_and_nobody_hears_what_is_for_nobody():
    rendered = yaml.safe_dump(
        {
            "route": {
                "receiver": "slo-none",
                "routes": [{"receiver": "slo-page", "group_wait": "30s", "repeat_interval": "4d"}],
            },
            "receivers": [{"name": "slo-page"}, {"name": "slo-none"}],
        }
    )
    found = yaml.safe_load(alertmanager.configuration(rendered, "http://127.0.0.1/{}".format, 60))
    assert found["route"]["routes"][0] == {
        "receiver": "slo-page",
        "group_wait": "500ms",
        "repeat_interval": "5760000ms",
    }
    page, none = found["receivers"]
    assert page["webhook_configs"] == [{"url": "http://127.0.0.1/slo-page", "send_resolved": True}]
    assert none == {"name": "slo-none"}


def test_a_wait_for_a_notification_ends():
    with webhook() as there:
        there.add(Notification("slo-ticket", "firing", ({"slo": "x"},), (), 0.0))
        assert there.wait(lambda each: each.receiver == "slo-page", 0.05) is None
        assert there.wait(lambda each: each.receiver == "slo-ticket", 0.05) is not None


@pytest.mark.parametrize("usual_s", [0.0001, 0.02, 0.114, 1, 100, 10_000])
def test_the_threshold_is_a_bucket_edge_above_the_usual(usual_s):
    limit_s = slos.threshold_s(usual_s)
    assert limit_s in TTFT.buckets
    assert limit_s >= min(usual_s, TTFT.buckets[-1])


def test_the_demos_slo_file_is_accepted_and_its_windows_are_seconds(tmp_path):
    file = tmp_path / "slo.yaml"
    file.write_text(slos.slo_file("m", "w", slos.threshold_s(0.1)))
    command = [Path(sys.executable).parent / "llmslo-rulegen", "render", file, "--out", tmp_path / "out", "--no-tests"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    rules = yaml.safe_load((tmp_path / "out" / "rules" / f"{slos.SERVICE}.yaml").read_text())
    burns = [rule["labels"] for group in rules["groups"] for rule in group["rules"] if "tier" in rule.get("labels", {})]
    pages = [labels for labels in burns if labels.get("severity") == "page"]
    assert {labels["slo"] for labels in pages} == {slos.FIRST_TOKEN, slos.AVAILABILITY}
    assert {durations.parse(labels["long_window"]) for labels in pages} == {slos.LONG_S}
