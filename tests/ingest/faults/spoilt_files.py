"""Checks of files with spoilt bytes: what is read of them equals an independent reading of the lines that are not put aside."""

from __future__ import annotations

import csv
import gzip
import io
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from genospark.errors import GenosparkError
from genospark.ingest.annotation import GENE_FEATURES
from genospark.ingest.expression import IngestExpressionConfig, read_expression
from genospark.ingest.genes import IngestGenesConfig, read_genes, read_regulators, read_terms
from genospark.ingest.phenotypes import IngestPhenotypesConfig, read_labels, read_numbers, read_pedigree
from genospark.ingest.quarantine import IngestConfig, Rejects
from genospark.ingest.reads import check_reference, pile_up, plan_regions, read_alignment_header
from genospark.ingest.reads.fasta_index import check_fasta_index
from genospark.ingest.reads.index_check import check_index
from genospark.ingest.reads.reference import open_reference, reference_codes, reference_contigs
from genospark.ingest.selection import read_bed
from genospark.ingest.tabular import MISSING
from genospark.ingest.vcf import Findings, parse_split, plan_splits, read_header

_SETTINGS = {"warehouse": "w", "mode": "quarantine", "max_bad": 1}
EXPRESSION = IngestExpressionConfig(**_SETTINGS)
PHENOTYPES = IngestPhenotypesConfig(**_SETTINGS)
GENES = IngestGenesConfig(**_SETTINGS)


def _refused(read: Callable[[], object]) -> bool:
    try:
        read()
    except GenosparkError as error:
        assert error.problem
        assert error.next_step
        return True
    return False


def check_vcf(path: Path) -> None:
    header = read_header(path)
    splits = plan_splits(header, 300)
    rows, bad, line = [], set(), header.data_line
    for split in splits:
        found = Findings()
        for batch in parse_split(split, found, quarantine=True):
            rows += batch.select(["contigName", "start", "referenceAllele", "alternateAlleles", "blocks"]).to_pylist()
        bad |= {line + entry.line for entry in found.bad}
        assert not [entry for entry in found.bad if re.search(r"\t[0-9.]+[|/]", entry.content)]
        line += found.lines
    assert _refused(lambda: [list(parse_split(split)) for split in splits]) == bool(bad)
    people = len(header.sample_ids)
    found_rows = [(*(row[name] for name in list(row)[:4]), codes([block["calls"] for block in row["blocks"]], people)) for row in rows]
    assert found_rows == vcf_table(path, people, bad)


def codes(blocks: list[bytes], people: int) -> list[int]:
    """Calls of one row."""
    bits = np.unpackbits(np.frombuffer(b"".join(blocks), np.uint8), bitorder="little").reshape(-1, 2)
    return (bits[:, 0] + 2 * bits[:, 1])[:people].tolist()


def vcf_table(path: Path, people: int, bad: set[int]) -> list[tuple[object, ...]]:
    """Contig, start, alleles and calls of the lines that are not bad, read line by line."""
    data = path.read_bytes()
    lines = (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).split(b"\n")
    first = next(number for number, line in enumerate(lines) if line.startswith(b"#CHROM")) + 2
    numbered = [(number, entry.removesuffix(b"\r")) for number, entry in enumerate(lines, 1) if number >= first]
    return [row for number, entry in numbered if entry and number not in bad for row in _vcf_rows(entry, people)]


def _vcf_rows(line: bytes, people: int) -> Iterator[tuple[object, ...]]:
    # What is no text may stand where nothing is read.
    contig, position, _, reference, alternate, *others = line.decode("utf-8", "replace").split("\t")
    alternates = [] if alternate == "." else alternate.split(",")
    called = people and others[3].split(":")[0] == "GT"
    genotypes = [text.split(":")[0] for text in others[4:]] if called else []
    for number in range(1, max(1, len(alternates)) + 1):
        codes = [_code(genotype, number) for genotype in genotypes] if called else [3] * people
        yield contig, int(position) - 1, reference, alternates[number - 1 : number], codes


def _code(genotype: str, number: int) -> int:
    alleles = re.split(r"[/|]", genotype.lstrip("/|"))
    # Two bits have no room for more than two.
    return 3 if "." in alleles or len(alleles) > 2 else sum(int(allele) == number for allele in alleles)


def _lines(path: Path) -> list[str]:
    data = path.read_bytes()
    data = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    text = data.decode("utf-8", "surrogateescape").replace("\r\n", "\n").replace("\r", "\n")
    return text.rstrip("\n").split("\n")


def _table(path: Path, rejects: Rejects, header: bool = True) -> tuple[list[str], list[list[str | None]]]:
    """Names of columns, and values of the lines that were not put aside."""
    bad = {record.line for _, record in rejects.found}
    lines = _lines(path)
    names = lines[0].removeprefix("#").split("\t") if header else []
    kept = [line.split("\t") for number, line in enumerate(lines, 1) if number > int(header) and number not in bad]
    width = len(lines[0].split("\t"))
    # An empty line is one without values.
    rows = [row if row != [""] else [""] * width for row in kept]
    assert {len(row) for row in rows} <= {width}
    return names, [[None if value in MISSING else value for value in row] for row in rows]


def _csv_table(path: Path, rejects: Rejects) -> tuple[list[str], list[list[str | None]]]:
    """As ``_table``, of comma-separated text."""
    bad = {record.line for _, record in rejects.found}
    text = "\n".join(_lines(path)) + "\n"
    reader = csv.reader(io.StringIO(text, newline=""))
    names, rows, line = next(reader), [], reader.line_num + 1
    for row in reader:
        if line not in bad:
            rows.append([None if value in MISSING else value for value in row or [""] * len(names)])
        line = reader.line_num + 1
    assert {len(row) for row in rows} <= {len(names)}
    return [names[0].removeprefix("#"), *names[1:]], rows


def _strictly(reader: Callable[[frozenset[int]], object], path: Path, rejects: Rejects) -> None:
    """In strict mode the same file is refused if, and only if, a record was put aside."""
    strict = Rejects(IngestConfig(warehouse="w"))
    assert _refused(lambda: strict.read(path, reader)) == bool(rejects.found)


def check_expression(path: Path) -> None:
    rejects = Rejects(EXPRESSION)

    def reader(without: frozenset[int]) -> list[pd.DataFrame]:
        return [batch.to_pandas() for batch in read_expression(path, EXPRESSION, without)]

    frames = rejects.read(path, reader)
    names, rows = _csv_table(path, rejects) if path.suffix == ".csv" else _table(path, rejects)
    keys = ("sampleId", "cellType", "state")
    expected = []
    for row in rows:
        named = dict(zip(names, row, strict=True))
        key = named["sampleId"], named.get("cellType", "bulk"), named.get("state", "unspecified")
        expected += [(*key, gene, float(value)) for gene, value in named.items() if gene not in keys and value is not None]
    columns = ["sampleId", "cellType", "state", "geneId", "expressionValue"]
    found = [row for frame in frames for row in frame[columns].itertuples(index=False, name=None)]
    _same(found, expected)
    _strictly(reader, path, rejects)


def check_bed(path: Path) -> None:
    rejects = Rejects(EXPRESSION)

    def reader(without: frozenset[int]) -> list[pd.DataFrame]:
        return [batch.to_pandas() for batch in read_expression(path, EXPRESSION, without)]

    frames = rejects.read(path, reader)
    names, rows = _table(path, rejects)
    described = 6 if names[4:6] == ["length", "strand"] else 4
    expected = [
        (person, row[3], float(value)) for row in rows for person, value in zip(names[described:], row[described:], strict=True) if value
    ]
    _same(
        [row for frame in frames for row in frame[["sampleId", "geneId", "expressionValue"]].itertuples(index=False, name=None)], expected
    )
    _strictly(reader, path, rejects)


def check_gct(path: Path) -> None:
    rejects = Rejects(EXPRESSION)

    def reader(without: frozenset[int]) -> list[pd.DataFrame]:
        return [batch.to_pandas() for batch in read_expression(path, EXPRESSION, without)]

    frames = rejects.read(path, reader)
    bad = {record.line for _, record in rejects.found}
    lines = [line.split("\t") for line in _lines(path)]
    about = int(lines[1][3]) if lines[0][0].strip() == "#1.3" else 0
    first = 2 if lines[0][0].strip() == "#1.2" else 1 + int(lines[1][2])
    rows = [row for number, row in enumerate(lines, 1) if number > 3 + about and number not in bad]
    values = [(person, row[0], value) for row in rows for person, value in zip(lines[2][first:], row[first:], strict=True)]
    expected = [(person, gene, float(value)) for person, gene, value in values if value not in MISSING]
    _same(
        [row for frame in frames for row in frame[["sampleId", "geneId", "expressionValue"]].itertuples(index=False, name=None)], expected
    )
    _strictly(reader, path, rejects)


def _same(found: list[tuple[object, ...]], expected: list[tuple[object, ...]]) -> None:
    found, expected = sorted(found, key=repr), sorted(expected, key=repr)
    assert [row[:-1] for row in found] == [row[:-1] for row in expected]
    assert all(math.isclose(float(one[-1]), float(other[-1]), rel_tol=1e-12) for one, other in zip(found, expected, strict=True))


def _check_wide(path: Path, reader: Callable[[frozenset[int]], pd.DataFrame], columns: list[str]) -> None:
    rejects = Rejects(PHENOTYPES)
    frame = rejects.read(path, reader)
    names, rows = _table(path, rejects)
    person = names.index("sampleId")
    expected = [
        (row[person], name, float(value)) for row in rows for name, value in zip(names, row, strict=True) if name != "sampleId" and value
    ]
    _same(list(frame[columns].itertuples(index=False, name=None)), expected)
    _strictly(reader, path, rejects)


def check_labels(path: Path) -> None:
    _check_wide(path, lambda without: read_labels(path, PHENOTYPES, without), ["sampleId", "disease", "label"])


def check_covariates(path: Path) -> None:
    _check_wide(path, lambda without: read_numbers(path, without, "sampleId", "covariate"), ["sampleId", "covariate", "covariateValue"])


def check_pedigree(path: Path) -> None:
    rejects = Rejects(PHENOTYPES)
    frame = rejects.read(path, lambda without: read_pedigree(path, without))
    bad = {record.line for _, record in rejects.found}
    assert len(frame) <= len(_lines(path)) - len(bad)
    assert frame["sampleId"].is_unique
    assert frame["sampleId"].notna().all()


def check_genes(path: Path) -> None:
    rejects = Rejects(GENES)
    frame = read_genes([path], GENES, rejects)
    bad = {record.line for _, record in rejects.found}
    rows = [line.split("\t") for number, line in enumerate(_lines(path), 1) if number not in bad and not line.startswith("#")]
    genes = [row for row in rows if len(row) == 9 and row[2] in GENE_FEATURES]
    found = Counter(zip(frame["start"] + 1, frame["end"], strict=True))
    if genes:
        assert found == Counter((float(row[3]), float(row[4])) for row in genes)


def check_terms(path: Path) -> None:
    rejects = Rejects(GENES)
    frame = read_terms([path], GENES, rejects)
    names, rows = _table(path, rejects)
    gene, term = names.index("geneId"), names.index("termId")
    assert {(row[gene], row[term]) for row in rows} == set(frame.where(frame.notna(), None).itertuples(index=False, name=None))


def check_regulators(path: Path) -> None:
    rejects = Rejects(GENES)
    found = rejects.read(path, lambda without: read_regulators(path, "geneId", without))
    _, rows = _table(path, rejects, header=False)
    assert found <= {value for row in rows for value in row if value}


def check_regions(path: Path) -> None:
    for _, start, end in read_bed(path):
        assert start >= 0 <= end


def check_bam(path: Path) -> None:
    fasta = path.with_name("reference.fa")
    header = read_alignment_header(path)
    check_reference(header, fasta)
    check_index(header)
    for region in plan_regions(header, 1000):
        pileup = pile_up(region, fasta)
        assert pileup.reads["seen"] >= 0


def check_reference_index(path: Path) -> None:
    fasta = path.with_suffix("")
    check_fasta_index(fasta)
    contigs = reference_contigs(fasta)
    with open_reference(fasta) as file:
        for name, length in contigs.items():
            assert len(reference_codes(file, name, 0, min(length, 2000))) == min(length, 2000)
