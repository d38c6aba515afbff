"""INFO and FORMAT keys: what the specification reserves, and what a header declares."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

Column = Literal["INFO", "FORMAT"]


@dataclass(frozen=True)
class Field:
    """How the values of a key are.

    Attributes:
        number: Number: digits, a dot, or letters such as A.
        type: Type.
        declared: False where only the specification says so.
    """

    number: str
    type: str
    declared: bool = True


@dataclass
class Declared:
    """What the meta lines of a file declare.

    Attributes:
        info: INFO keys.
        format: FORMAT keys.
        filters: Names of filters.
        alts: Symbolic alleles.
        contigs: Length of each contig in base pairs, None where it is not stated.
    """

    info: dict[str, Field] = field(default_factory=dict)
    format: dict[str, Field] = field(default_factory=dict)
    filters: set[str] = field(default_factory=set)
    alts: set[str] = field(default_factory=set)
    contigs: dict[str, int | None] = field(default_factory=dict)


def _keys(text: str) -> dict[str, tuple[str, ...]]:
    """From lines such as ``A Integer: AC EC`` to the Number, and Types, of each key."""
    found: dict[str, tuple[str, ...]] = {}
    for line in text.strip().splitlines():
        rule, keys = line.split(":")
        found |= dict.fromkeys(keys.split(), tuple(rule.split()))
    return found


# Number, then the Type, or Types where versions and their examples differ. Until 4.2 the specification has most Numbers in words only.
_INFO = _keys("""
1 String: AA
A Integer: AC
A Float: AF
1 Integer: AN DP END MQ0 NS
1 Float: BQ
A String: CIGAR
0 Flag: DB H2 H3 SOMATIC VALIDATED 1000G
1 Float Integer: MQ
""")
_INFO_43 = _keys("R Integer: AD ADF ADR")
_INFO_SV = _keys("""
0 Flag: IMPRECISE NOVEL
1 String: SVTYPE
""")
_INFO_SV_44 = _keys("""
A Integer: SVLEN HOMLEN RN
A String: HOMSEQ BKPTID DGVID DBVARID DBRIPID MATEID PARID EVENT EVENTTYPE SVCLAIM
A Float: CN
. Integer: CIPOS CIEND CILEN RUL RB CIRB RUB
. Float: CICN RUC CIRUC
. String: MEINFO METRANS RUS
""")
_FORMAT = _keys("""
1 Integer: DP GQ MQ PQ PS
1 String: FT GT
2 Integer: HQ
A Integer: EC
G Float: GL GP
G Integer: PL
""")
_FORMAT_42 = _keys(". String: GLE")
_FORMAT_43 = _keys("""
R Integer: AD ADF ADR
G Integer: PP
""")
_FORMAT_44 = _keys("""
P String: PSL
P Integer: PSO PSQ
""")
_FORMAT_45 = _keys("""
1 Integer: LEN
. Integer: LAA
LR Integer: LAD LADF LADR
LA Integer: LEC
LG Integer Float: LGL LGP
LG Integer: LPL LPP
""")
_FORMAT_SV_44 = _keys("""
1 Float: CN CNQ
2 Float: CICN
G Float: CNL CNP
1 Integer: NQ HAP AHAP
""")
_BASES = re.compile(r"(DPM|ADM|M)(?:[0-9]+[ACGTUN]|5(?:m|hm|f|ca)C|5(?:hm|f|ca)U|6mA|8oxoG|[Xx]aoN)")


def reserved(column: Column, key: str, version: str) -> tuple[str, ...] | None:
    """Number and possible Types that the specification demands of a key; None where it does not reserve it."""
    if column == "INFO":
        return (_INFO | (_INFO_43 if version >= "4.3" else {})).get(key)
    if version >= "4.5" and (found := _BASES.fullmatch(key)):
        return ("M", "Float" if found[1] == "M" else "Integer")
    keys = _FORMAT | (_FORMAT_43 if version >= "4.3" else _FORMAT_42)
    keys |= (_FORMAT_44 if version >= "4.4" else {}) | (_FORMAT_45 if version >= "4.5" else {})
    return keys.get(key)


def reserved_sv(column: Column, key: str, version: str) -> tuple[str, ...] | None:
    """The same for keys of structural variants, which files declare in many ways."""
    if column == "INFO":
        return (_INFO_SV | (_INFO_SV_44 if version >= "4.4" else {})).get(key)
    return _FORMAT_SV_44.get(key) if version >= "4.4" else None


def field_of(column: Column, key: str, declared: dict[str, Field], version: str) -> Field | None:
    """How a key's values are: as declared, else as reserved; None where nobody says."""
    if key in declared:
        return declared[key]
    found = reserved(column, key, version)
    return Field(found[0], found[1] if len(found) == 2 else "Float", declared=False) if found else None


_COUNTS = {"INFO": {"AC", "AN", "DP", "MQ0", "NS", "END", "AD", "ADF", "ADR", "BQ", "MQ"}}
_COUNTS["FORMAT"] = {"AD", "ADF", "ADR", "DP", "EC", "GQ", "HQ", "MQ", "PL", "PP", "PQ", "PS", "CN", "CNQ", "LEN", "LAA", "LAD"}
_COUNTS["FORMAT"] |= {"LADF", "LADR", "LEC", "LPL", "LPP"}


def bounds(column: Column, key: str, version: str) -> tuple[float | None, float | None]:
    """Lowest and highest value that a reserved key can have; None where there is no such bound."""
    if key in _COUNTS[column]:
        return 0, None
    if column == "INFO":
        return (0, 1) if key == "AF" else (None, None)
    if key == "GP" and version >= "4.3":
        return 0, 1
    return (None, 0) if key in ("GL", "CNL") else (None, None)
