"""Exceptions a user sees. Each names what is wrong, where, and the next step, and carries its exit code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class GenosparkError(Exception):
    """Base of every error that ends a stage with one message and no traceback.

    Args:
        problem: What is wrong, with the file, line, record or key it was found in.
        next_step: What the user can do about it.
    """

    exit_code = 1

    def __init__(self, problem: str, next_step: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.next_step = next_step

    def __str__(self) -> str:
        return f"{self.problem}\n  next step: {self.next_step}"

    def __reduce__(self) -> tuple[type, tuple[str, str]]:
        # Errors cross from Spark's Python workers to the driver by pickle.
        return type(self), (self.problem, self.next_step)


class ConfigError(GenosparkError):
    """A configuration file, an override or a command-line argument is wrong."""

    exit_code = 2


class InputError(GenosparkError):
    """An input file cannot be read as what it claims to be."""

    exit_code = 3


@dataclass(frozen=True)
class BadRecord:
    """A record of an input file that cannot be read.

    Attributes:
        line: Line of the file, from 1.
        column: Column that is wrong; empty where it is the whole line.
        reason: What is wrong, the same words for all records with the fault.
        content: The text that is wrong, without other values of the person, 200 characters at most.
    """

    line: int
    column: str
    reason: str
    content: str


class RecordError(InputError):
    """Records of an input file cannot be read; without them the file can.

    Args:
        problem: As in ``GenosparkError``, of the first of them.
        next_step: As in ``GenosparkError``.
        records: All that are refused for the same reason.
        total: Records that were looked at.
    """

    def __init__(self, problem: str, next_step: str, records: Sequence[BadRecord] = (), total: int = 0) -> None:
        super().__init__(problem, next_step)
        self.records = records
        self.total = total


class TableError(GenosparkError):
    """A table that a stage needs is missing or does not fit its schema."""

    exit_code = 4


class CoverageError(GenosparkError):
    """Too few of a model's features are found in the data that is to be scored."""

    exit_code = 5


class TrainingError(GenosparkError):
    """Training cannot start, or its ranks did not end with the same model."""

    exit_code = 6


class SetupError(GenosparkError):
    """The machine or the installed packages cannot run the project."""

    exit_code = 7


class BusyError(GenosparkError):
    """Another process writes what this one was to write."""

    exit_code = 8
