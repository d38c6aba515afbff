"""Scoring files in the format of the PGS Catalog, version 2 (Lambert et al. 2021, Nat Genet 53:420-425; pgscatalog.org/downloads)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from genospark.errors import InputError
from genospark.ingest.table_checks import numbers, refuse_again, refuse_values
from genospark.ingest.tabular import read_blocks
from genospark.ingest.text_files import read_text

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_RATIO = re.compile(r"\b(OR|HR|odds ratios?|hazard ratios?)\b", re.IGNORECASE)
_LOGARITHM = re.compile(r"\b(log|ln)", re.IGNORECASE)
_NOT_ADDITIVE = ("is_interaction", "is_haplotype", "is_diplotype", "is_dominant", "is_recessive")
_RATIO_COLUMNS = ("OR", "HR")
_AGAIN = "download the scoring file again from the PGS Catalog, in its format 2.0"


@dataclass(frozen=True)
class ScoringFile:
    """A polygenic score.

    Attributes:
        pgs_id: Its id.
        name: Its name, or None.
        trait: What it predicts, or None.
        build: Of its positions: GRCh37, GRCh38, or None where the file does not say.
        weight_type: What the file's weights are, or None.
        declared: Weights that its header says it has, or None.
        weights: line (index), contigName, start (0-based), effectAllele, otherAllele, weight; place and other allele may be missing.
    """

    pgs_id: str
    name: str | None
    trait: str | None
    build: str | None
    weight_type: str | None
    declared: int | None
    weights: pd.DataFrame


def read_scoring_file(path: Path, without: frozenset[int] = frozenset()) -> ScoringFile:
    """Reads a scoring file; places are the harmonised ones (``hm_chr``, ``hm_pos``) where it has them.

    Args:
        path: Plain or gzipped file.
        without: Numbers of lines that are left out.

    Raises:
        InputError: It is no such file, or lacks columns.
        RecordError: A weight is not a number, not additive, or no ratio above 0 where it should be one; an allele is not of the letters A,
            C, G and T; a position is not a positive integer; or a line repeats another.
    """
    text = read_text(path)
    before = begin = 0
    while text.startswith(b"#", begin):
        before, begin = before + 1, text.find(b"\n", begin) + 1 or len(text)
    header = _header(path, text, before)
    blocks = read_blocks(path, iter([text]), before)
    _require(path, before + 1, blocks.names)
    weights = pd.concat(list(blocks.made(lambda frame: _weights(path, frame, header), without, find_all=True)))
    place = ["contigName", "start", "effectAllele", "otherAllele"]
    again = (weights.duplicated(place) & weights["start"].notna()).to_numpy()
    refuse_again(weights, again, ["place and alleles"], path)
    harmonised = {"hm_chr", "hm_pos"} <= set(blocks.names)
    count = header.get("variants_number", "")
    return ScoringFile(
        header["pgs_id"],
        _given(header.get("pgs_name")),
        _given(header.get("trait_reported")),
        _build(header.get("HmPOS_build" if harmonised else "genome_build")),
        _given(header.get("weight_type")),
        int(count) if count.isdigit() else None,
        weights,
    )


def _header(path: Path, text: bytes, n_lines: int) -> dict[str, str]:
    lines = [line.decode(errors="replace") for line in text.split(b"\n", n_lines)[:n_lines]]
    entries = (line.lstrip("#").partition("=") for line in lines)
    header = {key.strip(): value.strip() for key, separator, value in entries if separator}
    version = header.get("format_version")
    if version is None or not version.startswith("2"):
        found = f"is of format {version}" if version else "no line #format_version=2.0"
        raise InputError(f"{path}: not a scoring file of the PGS Catalog's format 2 ({found})", _AGAIN)
    if not _ID.fullmatch(header.get("pgs_id", "")):
        raise InputError(f"{path}: no line #pgs_id=... in its header", "name the score there: letters, digits, dots, dashes")
    return header


def _require(path: Path, line: int, names: list[str]) -> None:
    for wanted in (["effect_allele"], ["effect_weight", *_RATIO_COLUMNS], ["hm_pos", "chr_position"], ["hm_chr", "chr_name"]):
        if not set(wanted) & set(names):
            step = "take the harmonised file (..._hmPOS_GRCh37.txt.gz or GRCh38)" if "hm_pos" in wanted or "hm_chr" in wanted else _AGAIN
            raise InputError(f"{path}: line {line}: no column {' or '.join(wanted)}", step)


def _weights(path: Path, frame: pd.DataFrame, header: dict[str, str]) -> pd.DataFrame:
    for name in (name for name in _NOT_ADDITIVE if name in frame):
        bad = frame[[name]].apply(lambda column: column.str.lower().isin(["true", "1", "yes"])).to_numpy()
        refuse_values(frame, bad, [name], path, "not additive", "leave the line out: only additive weights are scored")
    weight = _weight(path, frame, header)
    effect, other = frame["effect_allele"].str.upper(), _other(frame)
    alleles = pd.DataFrame({"effect_allele": effect, "other_allele": other}, frame.index)
    shown = frame.assign(effect_allele=frame["effect_allele"].fillna("NA"), other_allele=other.fillna(""))
    letters = alleles.apply(lambda column: column.str.fullmatch("[ACGT]+").fillna(False)).to_numpy(bool)
    letters[:, 1] |= other.isna().to_numpy()
    step = "leave the line out: alleles that are named otherwise are not in genotypes"
    refuse_values(shown, ~letters, list(alleles), path, "not made of the letters A, C, G and T", step)
    contig = frame["hm_chr" if "hm_chr" in frame else "chr_name"]
    column = "hm_pos" if "hm_pos" in frame else "chr_position"
    position = numbers(frame, [column], path)[:, 0]
    bad = ~np.isnan(position) & ((position < 1) | (position != np.floor(position)))
    refuse_values(frame, bad[:, None], [column], path, "not a positive integer", "mend the line, or write NA for no place")
    placed = contig.notna().to_numpy() & ~np.isnan(position)
    return pd.DataFrame(
        {
            "contigName": contig.where(placed),
            "start": pd.Series(np.where(placed, position - 1, np.nan), frame.index),
            "effectAllele": effect,
            "otherAllele": other,
            "weight": weight,
        },
        frame.index,
    )


def _weight(path: Path, frame: pd.DataFrame, header: dict[str, str]) -> NDArray[np.float64]:
    kind = header.get("weight_type", "")
    name = next(name for name in ("effect_weight", *_RATIO_COLUMNS) if name in frame)
    values = numbers(frame, [name], path)[:, 0]
    refuse_values(frame.fillna({name: "NA"}), np.isnan(values)[:, None], [name], path, "no weight", "leave the line out")
    if name in _RATIO_COLUMNS or (_RATIO.search(kind) and not _LOGARITHM.search(kind)):
        refuse_values(frame, (values <= 0)[:, None], [name], path, f"no {kind or name} above 0", "check weight_type in the header")
        values = np.log(values)
    return values


def _other(frame: pd.DataFrame) -> pd.Series:
    """The other allele; where only the harmonisation says it, and says one."""
    nothing = pd.Series(None, frame.index, dtype=object)
    other = frame.get("other_allele", nothing)
    if "hm_inferOtherAllele" in frame:
        inferred = frame["hm_inferOtherAllele"]
        other = other.where(other.notna(), inferred.where(~inferred.fillna("").str.contains("/")))
    return other.astype(object).where(other.notna(), None).str.upper()


def _given(value: str | None) -> str | None:
    return value if value and value not in ("NR", "NA") else None


def _build(name: str | None) -> str | None:
    """GRCh37 or GRCh38, by any of their names."""
    digits = {"grch37": "GRCh37", "hg19": "GRCh37", "b37": "GRCh37", "grch38": "GRCh38", "hg38": "GRCh38", "b38": "GRCh38"}
    given = _given(name)
    return digits.get(given.lower(), given) if given else None
