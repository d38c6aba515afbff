"""Structural variants as VCF 4.4 and later define them: what INFO keys and alleles say together, record by record."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import pyarrow.compute as pc

from genospark.ingest.vcf.check.arrow import mask, strings, take
from genospark.ingest.vcf.check.columns import spans_zero
from genospark.ingest.vcf.check.info import Entries
from genospark.ingest.vcf.check.report import Report
from genospark.ingest.vcf.check.sites import SiteTexts

Fault = tuple[str, str]
_PER_ALLELE = {"CIPOS": 2, "CIEND": 2, "CILEN": 2, "CICN": 2, "MEINFO": 4, "METRANS": 4}
_REPEATS = ("RUS", "RUL", "RUC", "RB", "CIRUC", "CIRB")
_KEYS = strings(["SVLEN", "SVCLAIM", "RN", "RUB", *_PER_ALLELE, *_REPEATS])
_CLAIMS = {"DEL": "D J DJ", "DUP": "D J DJ", "CNV": "D .", "INV": "J DJ .", "INS": "J DJ .", "BND": "J .", "": "."}
_SV_TYPES = {"DEL", "INS", "DUP", "INV", "CNV"}


def check_variants(report: Report, sites: SiteTexts, entries: Entries) -> None:
    """Check the structural variants of a chunk; versions before 4.4 say too little about them."""
    if report.version < "4.4":
        return
    concerned = np.zeros(len(sites.lines), bool)
    concerned[entries.record[mask(pc.is_in(entries.keys, _KEYS))]] = True
    concerned |= mask(pc.match_substring_regex(sites.alternates, r"[<\[\]]"))
    records = np.flatnonzero(concerned)
    if not len(records):
        return
    copy_numbers = np.zeros(len(sites.lines), bool)
    if sites.lines.tabs.shape[1] > 7:
        copy_numbers = mask(pc.match_substring_regex(sites.lines.column(8), "(?:^|:)CN(?:$|:)"))
    where = np.flatnonzero(concerned[entries.record])
    where = where[np.argsort(entries.record[where], kind="stable")]
    keys, values = (take(array, where).to_pylist() for array in (entries.keys, entries.values))
    bounds = np.searchsorted(entries.record[where], records, "left"), np.searchsorted(entries.record[where], records, "right")
    for record, first, last in zip(records.tolist(), *(bound.tolist() for bound in bounds), strict=True):
        info = dict(zip(keys[first:last], values[first:last], strict=True))
        kinds = [_kind(allele) for allele in sites.alternates[record].as_py().split(",")]
        for rule, says in _faults(info, kinds, bool(copy_numbers[record])):
            report.add(rule, int(sites.numbers[record]), "INFO", says)


def _kind(allele: str) -> str:
    """``DEL``, ``CNV:TR`` ... of a symbolic allele, ``BND`` of a breakend, nothing of any other."""
    if allele.startswith("<"):
        return allele[1:-1] if allele[1:-1].split(":")[0] in _SV_TYPES else ""
    return "BND" if re.search(r"[\[\]]", allele) or (len(allele) > 1 and "." in allele) else ""


def _faults(info: dict[str, str], kinds: list[str], has_copy_numbers: bool) -> Iterator[Fault]:
    types = [kind.split(":")[0] for kind in kinds]
    lengths = info.get("SVLEN", ".").split(",")
    if len(lengths) != len(types):
        lengths = ["."] * len(types) if lengths == ["."] else lengths
    if "SVLEN" not in info and {"DEL", "INS", "DUP", "CNV"}.intersection(types):
        yield "sv-svlen", "SVLEN is absent, and ALT has a symbolic structural variant"
    for kind, length in zip(types, lengths, strict=False):
        if kind in ("DEL", "INS", "DUP", "CNV") and length == "." and "SVLEN" in info:
            yield "sv-svlen", f"SVLEN is missing for a {kind} allele"
        elif not kind and length != ".":
            yield "sv-svlen-other", "SVLEN is given for an allele that is no symbolic structural variant"
    if has_copy_numbers and len({n for n, kind in zip(lengths, types, strict=False) if kind in ("CNV", "DEL", "DUP")}) > 1:
        yield "sv-cn-length", "FORMAT has CN, and the SVLEN of CNV, DEL and DUP alleles differ"
    claims = info.get("SVCLAIM", ".").split(",")
    for kind, claim in zip(types, claims if len(claims) == len(types) else ["."] * len(types), strict=True):
        if claim not in _CLAIMS[kind].split():
            what = "is absent" if "SVCLAIM" not in info else "is missing" if claim == "." else f"is {claim[:10]}"
            yield "sv-svclaim", f"SVCLAIM {what} for {f'a {kind}' if kind else 'another'} allele"
    for key, n in _PER_ALLELE.items():
        if info.get(key, ".") != "." and len(info[key].split(",")) != n * len(kinds):
            yield "sv-count", f"{key} has {len(info[key].split(','))} values, and should have {n} per ALT allele"
    yield from _intervals(info, ("CIPOS", "CIEND", "CICN", "CIRUC", "CIRB"))
    if "CNV:TR" in kinds or any(key in info for key in ("RN", "RUB", *_REPEATS)):
        yield from _repeats(info, kinds)


def _intervals(info: dict[str, str], keys: tuple[str, ...]) -> Iterator[Fault]:
    for key in keys:
        bounds = info.get(key, ".").split(",")
        if not all(spans_zero(low, high) for low, high in zip(bounds[::2], bounds[1::2], strict=False)):
            yield "sv-interval", f"an interval of {key} does not span 0"


def _repeats(info: dict[str, str], kinds: list[str]) -> Iterator[Fault]:
    """Tandem repeats: each CNV:TR allele has RN sequences, and the lists have a value for each of them."""
    given = {key: info[key].split(",") for key in ("RN", "RUB", *_REPEATS) if info.get(key, ".") != "."}
    if "CNV:TR" in kinds and "RUS" not in given and "RUL" not in given:
        yield "sv-repeat", "a CNV:TR allele has neither RUS nor RUL"
    if "RN" in given:
        sequences = sum(int(n) for n in given["RN"] if re.fullmatch("[0-9]{1,9}", n))
    else:
        sequences = sum(kind.startswith("CNV:TR") for kind in kinds)
    for key in _REPEATS:
        n = sequences * (2 if key.startswith("CI") else 1)
        if key in given and len(given[key]) != n:
            yield "sv-repeat", f"{key} has {len(given[key])} values, and should have {n}"
    for key, about in (("CIRUC", "RUC"), ("CIRB", "RB")):
        values = given.get(about, [])
        for i in range(len(given.get(key, [])) // 2):
            if (values[i] if i < len(values) else ".") == "." and given[key][2 * i : 2 * i + 2] != [".", "."]:
                yield "sv-repeat", f"{key} is given where {about} is missing"
                break
    pairs = zip(given.get("RUS", []), given.get("RUL", []), strict=False)
    if any(unit != "." and re.fullmatch("[0-9]{1,9}", n) and len(unit) != int(n) for unit, n in pairs):
        yield "sv-repeat-units", "RUS and RUL differ in length"
    if any(not re.fullmatch(r"[ACGTUNRYSWKMBDHVacgtunryswkmbdhv]+|\.", unit) for unit in given.get("RUS", [])):
        yield "sv-repeat-units", "RUS is not of nucleotide codes"
    if "RUB" in given:
        counts = given.get("RUC", [])
        if not counts or not all(re.fullmatch(r"[0-9]{1,9}(?:\.0+)?|\.", count) for count in counts):
            yield "sv-repeat-units", "RUB is given without RUC of whole numbers"
        elif len(given["RUB"]) != (n := sum(int(float(count)) for count in counts if count != ".")):
            yield "sv-repeat-units", f"RUB has {len(given['RUB'])} values, and should have {n}"
