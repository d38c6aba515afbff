"""What a fault of an input is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ENDS = "ends the stage"


@dataclass(frozen=True)
class Fault:
    """A fault of an input.

    Attributes:
        kind: Kind of input.
        fault: What is wrong.
        words: Writes files into a folder and gives the command line without the warehouse.
        says: Part of the message.
        code: Exit code.
        quarantine: What happens in the mode quarantine: the reason in the table, or ``ENDS``.
        slow: Costs seconds, so only one mode is run.
    """

    kind: str
    fault: str
    words: Callable[[Path], list[object]]
    says: str
    code: int = 3
    quarantine: str = ENDS
    slow: bool = False
