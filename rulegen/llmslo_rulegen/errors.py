"""The errors, split by who must act."""

from __future__ import annotations

from collections.abc import Iterable

from llmslo_rulegen.finding import Finding


class RulegenError(Exception):
    """The command cannot go on; anything else that is raised is a bug of ours."""


class InputError(RulegenError):
    """The user's files say what cannot be done; `findings` says where and why."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__("\n".join(map(str, self.findings)))


class OutputError(RulegenError):
    """The output folder does not take the files; nothing was changed."""


class ToolError(RulegenError):
    """A program that is needed is missing or does not end."""


class ExpressionError(RulegenError):
    """An expression or a pattern that a team wrote cannot be used."""


class ServerError(RulegenError):
    """A Prometheus that was to be asked does not answer, or not as one."""


class TooMuchError(ServerError):
    """A server gives up on a question for its size: a smaller one may be answered."""
