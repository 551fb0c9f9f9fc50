"""docs/traces.md: its commands run, and it names all that is read."""

import re
import shlex
from io import StringIO
from pathlib import Path

from llmslo_rulegen.cli import main
from llmslo_rulegen.traces import naming
from llmslo_rulegen.traces.call import Skipped

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "traces.md").read_text()


def test_every_attribute_and_event_that_is_read_is_named():
    names = {*naming.READ, *naming.CHUNKS, naming.VLLM_SPAN} - {
        naming.VLLM_QUEUE,
        *naming.CHAT_IF_EQUAL,
        "ai.operationId",
    }
    assert [name for name in sorted(names) if f"`{name}`" not in PAGE] == []


def test_every_reason_is_named():
    assert [reason.name for reason in Skipped if f"`{reason.name.lower()}`" not in PAGE] == []


def test_its_commands_run(tmp_path, monkeypatch):
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    monkeypatch.chdir(tmp_path)
    (block,) = re.findall(r"```sh\n(.*?)```", PAGE, flags=re.DOTALL)
    for line in block.splitlines():
        program, *argv = shlex.split(line)
        assert program == "llmslo-rulegen"
        assert main(argv, StringIO()) == 0, line
