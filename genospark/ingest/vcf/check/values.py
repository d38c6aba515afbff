"""What values of INFO and of samples may look like.

A regular expression says of most values at once that they are right (RE2, through Arrow, without a loop); it takes no value that
``faults`` would find fault with. What it does not match is looked at one by one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from genospark.ingest.vcf.check.fields import Column, Field, bounds

Fault = tuple[Literal["type", "number", "range", "likelihood"], str]
"""Which kind of rule is broken, and a message without the value."""
_INTEGER = re.compile(r"[-+]?[0-9]+")
_LOWEST, _HIGHEST = -(2**31) + 8, 2**31 - 1
_EXPONENT = r"(?:[eE][-+]?[0-9]+)?"
_FLOAT = re.compile(rf"[-+]?[0-9]*\.?[0-9]+{_EXPONENT}|[-+]?(?i:inf|infinity|nan)")
# Until 4.2 the specification does not say how numbers are written.
_LOOSE_FLOAT = re.compile(rf"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+){_EXPONENT}|[-+]?(?i:inf|infinity|nan)")
_MANY = 80
"""Values per list up to which a pattern spells out how many there are; beyond, lists are counted one by one."""


@dataclass(frozen=True)
class Values:
    """The values of a key in a version of the specification.

    Attributes:
        key: Key.
        column: INFO or FORMAT.
        field: How its values are.
        version: Version.
    """

    key: str
    column: Column
    field: Field
    version: str

    @property
    def _bounds(self) -> tuple[float | None, float | None]:
        return bounds(self.column, self.key, self.version)

    def pattern(self, counts: tuple[int, ...] | None) -> str:
        """A regular expression for lists of some numbers of values (None: of any), which takes right lists only."""
        one = f"(?:\\.|{self._one()})"
        if counts is None:
            return f"{one}(?:,{one})*"
        lists = [f"{one}(?:,{one}){{{n - 1}}}" if n > 1 else one for n in counts if 0 < n <= _MANY]
        return f"(?:{'|'.join([*lists, chr(92) + '.'])})"

    def _one(self) -> str:
        low, high = self._bounds
        if self.field.type == "Integer":
            if high is not None:
                return "[01]" if high else "(?:-[0-9]{1,9}|0)"
            return "[0-9]{1,9}" if low == 0 else "-?[0-9]{1,9}"
        if self.field.type == "Float":
            number = rf"(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+){_EXPONENT}"
            if (low, high) == (0, 1):
                return r"(?:0?\.[0-9]+|[01](?:\.0+)?|[0-9](?:\.[0-9]+)?[eE]-0*[1-9][0-9]*)"
            if high == 0:
                return rf"(?:-{number}|0(?:\.0+)?)"
            return number if low == 0 else f"-?{number}"
        if self.column == "INFO":
            return r"[^,;=%\s]" if self.field.type == "Character" else r"[^,;=%\s]+"
        return r"[^,:\t]" if self.field.type == "Character" else r"[^,:\t]+"

    def faults(self, text: str, counts: tuple[int, ...] | None) -> Iterator[Fault]:
        """What is wrong with the text of a list of values."""
        if text == ".":
            return
        values = text.split(",")
        if counts is not None and len(values) not in counts:
            many = " or ".join(str(n) for n in sorted(set(counts)))
            yield "number", f"{self.key} has {len(values)} values, and should have {many} (Number={self.field.number})"
        for value in values:
            if value == ".":
                continue
            fault = self._fault(value)
            if fault:
                yield fault
                return

    def _fault(self, value: str) -> Fault | None:
        kind, said = self.field.type, f"a value of {self.key}"
        if kind == "Character" and len(value) != 1 and not re.fullmatch("%[0-9A-F]{2}", value):
            return "type", f"{said} is not a single character (Type=Character)"
        if kind == "Integer":
            if not _INTEGER.fullmatch(value):
                return "type", f"{said} is not an integer (Type=Integer)"
            if not _LOWEST <= int(value[:12]) <= _HIGHEST:
                return "type", f"{said} does not fit 32 bits (Type=Integer)"
        elif kind == "Float":
            if not (_FLOAT if self.version >= "4.3" else _LOOSE_FLOAT).fullmatch(value):
                return "type", f"{said} is not a number (Type=Float)"
        else:
            return None
        low, high = self._bounds
        number = float(value)
        if low is not None and number < low:
            return "range", f"{said} is negative"
        if high is not None and number > high:
            return ("range", f"{said} is above {high:g}") if high else ("likelihood", f"{said}, a logarithm, is positive")
        return None
