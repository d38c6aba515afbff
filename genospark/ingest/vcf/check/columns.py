"""One column of a sample: what it may look like in records of a form, and what is wrong with one that does not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from genospark.ingest.vcf.check.fields import Declared, field_of, reserved_sv
from genospark.ingest.vcf.check.fields import Field as KeyField
from genospark.ingest.vcf.check.formats import LOCAL
from genospark.ingest.vcf.check.info import counts_of
from genospark.ingest.vcf.check.values import Values

Fault = tuple[str, str]
"""A rule and a message."""
_GENOTYPE = re.compile(r"([/|]?)((?:[0-9]+|\.)(?:[/|](?:[0-9]+|\.))*)([/|]?)")
_REMEMBERED = 1 << 17
_NEEDS_OTHERS = {"PSL", "PSO", "PSQ", "CICN", "LAA"} | LOCAL


@dataclass(frozen=True)
class Form:
    """Records with one FORMAT and one number of alternate alleles.

    Attributes:
        keys: FORMAT keys.
        values: How the values of each key are; None where nobody says.
        n_alternates: Alternate alleles.
        version: VCF version.
    """

    keys: tuple[str, ...]
    values: tuple[Values | None, ...]
    n_alternates: int
    version: str

    @classmethod
    def of(cls, text: str, n_alternates: int, declared: Declared, version: str) -> Form:
        """The form of records with a FORMAT."""
        keys = tuple(text.split(":"))
        values = []
        for key in keys:
            found = field_of("FORMAT", key, declared.format, version)
            if found is None and (sv := reserved_sv("FORMAT", key, version)):
                found = KeyField(sv[0], sv[1], declared=False)
            values.append(Values(key, "FORMAT", found, version) if found else None)
        return cls(keys, tuple(values), n_alternates, version)

    @property
    def has_genotype(self) -> bool:
        """Whether GT comes first."""
        return self.keys[0] == "GT"

    def number(self, place: int) -> str:
        """Number of a key; a dot where nobody says."""
        values = self.values[place]
        return values.field.number if values else "."


class ColumnChecker:
    """Checks columns of samples of one form."""

    def __init__(self, form: Form) -> None:
        self.form = form
        self._found: dict[str, list[Fault]] = {}

    @cached_property
    def pattern(self) -> str | None:
        """A regular expression that takes right columns only; None where values depend on others in ways that none can say."""
        form = self.form
        if _NEEDS_OTHERS.intersection(form.keys) or any(form.number(i) in ("P", "LA", "LR", "LG", "M") for i in range(len(form.keys))):
            return None
        if not form.has_genotype:
            return self._fields(0, 2)
        allele = f"(?:\\.|{_up_to(form.n_alternates)})"
        first = "[/|]?" if form.version >= "4.4" else ""
        if any(form.number(i) == "G" for i in range(len(form.keys))):
            return f"(?:{first}{allele}[/|]{allele}{self._rest(1, 2)}|{first}{allele}{self._rest(1, 1)})"
        return f"{first}{allele}(?:[/|]{allele})*{self._rest(1, 2)}"

    def _fields(self, place: int, ploidy: int) -> str:
        values = self.form.values[place]
        one = "[^:\\t]+"
        if values is not None:
            one = values.pattern(counts_of(values.field.number, self.form.n_alternates, ploidy))
        return one + self._rest(place + 1, ploidy)

    def _rest(self, place: int, ploidy: int) -> str:
        """The fields from one on, all of which may be dropped."""
        return f"(?::{self._fields(place, ploidy)})?" if place < len(self.form.keys) else ""

    def faults(self, text: str) -> list[Fault]:
        """What is wrong with a column."""
        if text not in self._found:
            if len(self._found) >= _REMEMBERED:
                self._found.clear()
            self._found[text] = list(self._faults(text))
        return self._found[text]

    def _faults(self, text: str) -> Iterator[Fault]:
        form = self.form
        fields = text.split(":")
        if len(fields) > len(form.keys):
            yield "sample-fields", f"{len(fields)} fields, and FORMAT has {len(form.keys)} keys"
        alleles, phased = 2, [False, False]
        ploidies: tuple[int, ...] = (2,)
        if form.has_genotype:
            found = _GENOTYPE.fullmatch(fields[0])
            if not found or (found[1] and form.version < "4.4"):
                yield "gt", "the genotype is not alleles divided by / or |"
                return
            if found[3]:
                yield "gt-end", "the genotype ends with a separator"
            numbers = re.split(r"[/|]", found[2])
            highest = max((int(number) if len(number) < 10 else 10**9 for number in numbers if number != "."), default=0)
            if highest > form.n_alternates:
                rule = "gt-allele" if form.n_alternates or highest > 1 else "gt-allele-dot"
                yield rule, f"the genotype has an allele above {form.n_alternates}, the number of ALT alleles"
            alleles, phased = len(numbers), _phased(found[1], found[2])
            # Of a genotype that is a single dot nobody knows the ploidy.
            ploidies = (1, 2) if numbers == ["."] else (alleles,)
        local = self._local(fields)
        for place, (key, value) in enumerate(zip(form.keys, fields, strict=False)):
            values = form.values[place]
            if key == "GT" and not place:
                continue
            if not value:
                if not (form.version >= "4.5" and (key == "LAA" or form.number(place) in ("LA", "LR", "LG"))):
                    yield "sample-fields", f"the field of {key} is empty"
                continue
            if values is None:
                continue
            for kind, says in values.faults(value, self._counts(values.field.number, ploidies, alleles, local)):
                rule = f"sample-{kind}"
                yield "sample-type-reserved" if rule == "sample-type" and not values.field.declared else rule, says
        yield from self._together(dict(zip(form.keys, fields, strict=False)), phased)

    def _local(self, fields: list[str]) -> int:
        """Local alleles: as many as LAA has."""
        place = self.form.keys.index("LAA") if "LAA" in self.form.keys else len(fields)
        value = fields[place] if place < len(fields) else ""
        return len(value.split(",")) if value not in ("", ".") else 0

    def _counts(self, number: str, ploidies: tuple[int, ...], alleles: int, local: int) -> tuple[int, ...] | None:
        if number == "P":
            return (alleles,)
        if number in ("LA", "LR", "LG"):
            counts = [counts_of(number[1], local, ploidy) or () for ploidy in ploidies]
        else:
            counts = [counts_of(number, self.form.n_alternates, ploidy) or () for ploidy in ploidies]
        return tuple(n for found in counts for n in found) or None

    def _together(self, given: dict[str, str], phased: list[bool]) -> Iterator[Fault]:
        """What values of several keys say together."""
        local = given.get("LAA", ".")
        if local not in ("", ".") and self.form.version >= "4.5":
            indexes = [int(value) if re.fullmatch("[0-9]{1,9}", value) else 0 for value in local.split(",")]
            if len(set(indexes)) < len(indexes) or not all(0 < index <= self.form.n_alternates for index in indexes):
                yield "sample-local", "LAA is not distinct numbers of ALT alleles"
        if self.form.version < "4.4":
            return
        sets = given.get("PSL", ".")
        if sets != "." and given.get("PS", ".") != ".":
            yield "sample-phase-set", "both PS and PSL are given"
        lists = {key: given[key].split(",") for key in ("PSL", "PSO", "PSQ") if given.get(key, ".") != "."}
        if any(value != "." and not is_phased for value, is_phased in zip(lists.get("PSL", []), phased, strict=False)):
            yield "sample-phase-set", "PSL is given for an unphased allele"
        names = sets.split(",") if sets != "." else ["."] * len(phased)
        for key in ("PSO", "PSQ"):
            if any(value != "." and name == "." for value, name in zip(lists.get(key, []), names, strict=False)):
                yield "sample-phase-set", f"{key} is given where PSL is not"
        bounds = given.get("CICN", ".").split(",")
        if len(bounds) == 2 and not spans_zero(bounds[0], bounds[1]):
            yield "sample-interval", "CICN does not span 0"


def spans_zero(low: str, high: str) -> bool:
    """Whether an interval that texts give, dots where they do not, holds zero; so does one that is not of numbers."""
    try:
        return (low == "." or float(low) <= 0) and (high == "." or float(high) >= 0)
    except ValueError:
        return True


def _up_to(highest: int) -> str:
    """A pattern of the numbers from 0 to one, or of some of them."""
    if highest < 10:
        return f"[0-{highest}]"
    return f"(?:[0-9]|{'|'.join(str(n) for n in range(10, min(highest, 99) + 1))})"


def _phased(first: str, genotype: str) -> list[bool]:
    """Which alleles are phased; an indicator that is left out is / if there is any, else |."""
    separators = re.findall(r"[/|]", genotype)
    return [separator == "|" for separator in [first or ("/" if "/" in separators else "|"), *separators]]
