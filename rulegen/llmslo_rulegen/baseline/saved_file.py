"""Saved baselines on the disk."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from llmslo_rulegen.baseline import saved
from llmslo_rulegen.baseline.baseline import Baseline
from llmslo_rulegen.errors import RulegenError
from llmslo_rulegen.placing import write_one
from llmslo_rulegen.traces.call import Skipped

NOTHING_SKIPPED: Counter[Skipped] = Counter()
_BEGIN = f'{{"format":"{saved.FORMAT.partition("/")[0]}/'.encode()


class SavedFileError(RulegenError):
    """A file is no saved baseline of this version."""


def is_saved(path: Path) -> bool:
    """Tell by its first bytes whether a file is a saved baseline; of a pipe or what cannot be opened, no."""
    if not path.is_file():  # what is read of a pipe is gone
        return False
    try:
        with path.open("rb") as file:
            return file.read(len(_BEGIN)) == _BEGIN
    except OSError:
        return False


def read(path: Path) -> Baseline:
    """Return the baseline of a file; raises SavedFileError."""
    try:
        with path.open("rb") as file:
            if file.read(len(_BEGIN)) != _BEGIN:
                msg = f"{path}: it is no saved baseline: `llmslo-rulegen baseline save` makes one of traces"
                raise SavedFileError(msg)
            file.seek(0)
            return saved.read(file)
    except OSError as error:
        msg = f"{path}: {error.strerror or error}"
        raise SavedFileError(msg) from error
    except saved.SavedError as error:
        msg = f"{path}: {error}"
        raise SavedFileError(msg) from error


def write(path: Path, baseline: Baseline) -> None:
    """Write a baseline, whole or not at all; raises OutputError."""
    write_one(path, "".join(f"{line.decode()}\n" for line in saved.lines(baseline)))
