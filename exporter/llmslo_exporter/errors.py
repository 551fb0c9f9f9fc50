"""Errors of the exporter, split by who must act."""


class ExporterError(Exception):
    """Base of every error the exporter raises on purpose; its text is one line a user can act on."""


class SetupError(ExporterError):
    """The machine or the command line lacks something: the user must act."""


class ConfigurationError(SetupError):
    """The settings are wrong. `problems` are lines of their own: place, what was found, what was needed."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        first, *others = problems
        super().__init__(first + (f" (and {len(others)} more)" if others else ""))
        self.problems = problems


class DecodeError(ExporterError):
    """A kernel record did not match the layout in bpf/events.h: exporter and object disagree."""


class KernelError(ExporterError):
    """The kernel refused a program, a map or a probe."""
