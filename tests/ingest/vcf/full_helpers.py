"""A VCF with every type of field, and a reader that shares nothing with the package: one cell at a time, in plain Python."""

import gzip
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pysam.bcftools as bcftools

from genospark.ingest.vcf import plan_splits, read_header
from genospark.ingest.vcf.full import declared_fields, full_schema, read_full

ALIASES = {"DP": "depth", "FT": "filters", "GL": "genotypeLikelihoods", "PL": "phredLikelihoods", "GQ": "conditionalQuality"}
ALIASES |= {"GP": "posteriorProbabilities", "HQ": "haplotypeQualities", "EC": "expectedAlleleCounts", "MQ": "mappingQuality"}
ALIASES |= {"AD": "alleleDepths"}
NUMBERS = {"1": "1", "2": "2", "A": "A", "R": "R", "G": "G", "D": "."}
TYPES = {"I": "Integer", "F": "Float", "S": "String"}
INFO = [("END", "1", "Integer"), ("DB", "0", "Flag"), ("C1", "1", "Character"), ("CD", ".", "Character"), ("AF", "A", "Float")]
INFO += [(kind + number, NUMBERS[number], TYPES[kind]) for kind in TYPES for number in NUMBERS]
FORMAT = [("GT", "1", "String"), ("DP", "1", "Integer"), ("FT", "1", "String"), ("AD", "R", "Integer"), ("PL", "G", "Integer")]
FORMAT += [("GL", "G", "Float"), ("HQ", "2", "Integer"), ("C1", "1", "Character"), ("XD", ".", "String"), ("FA", "A", "Float")]
FORMAT += [("SR", "R", "String"), ("GP", "G", "Float"), ("EC", "A", "Integer"), ("MQ", "1", "Float"), ("GQ", "1", "Integer")]
META = '##fileformat=VCFv4.3\n##contig=<ID=1,length=1000000>\n##FILTER=<ID=q10,Description="q">\n##FILTER=<ID=s50,Description="s">\n'
META += "".join(f'##INFO=<ID={i},Number={n},Type={t},Description="{i}, its \\"values\\"">\n' for i, n, t in INFO)
META += "".join(f'##FORMAT=<ID={i},Number={n},Type={t},Description="f">\n' for i, n, t in FORMAT)
PEOPLE = ["s1", "s2", "s3"]
HEADER = META + "\t".join(["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", *PEOPLE]) + "\n"
RECORDS = [
    "1\t1\trs1;rs2\tA\tG\t.\t.\t.\tGT\t0/0\t0|1\t./.",
    "1\t2\t.\tA\tAT\t12.5\tPASS\tDB;I1=-3;F1=1e-3;S1=a%3Bb;C1=x;CD=x,y;I2=1,.;F2=.,.;S2=a,b\tGT:DP:FT:HQ:XD\t1|1:3:q10:1,2:a,b%2C\t.:.:.:.,3\t./1",
    "1\t3\t.\tACG\tA\t1e3\tq10;s50\tEND=7;ID=2147483647,-5;FD=nan,-inf;SD=x;AF=0.5;IA=2;IR=1,2;IG=1,2,3\tGT:AD:PL:GL:GQ\t0:1,2:0,9:-0.5,0\t1\t1/1:.:0,1,2:.,.,.:99",
    "1\t4\t.\tC\tT,G,*\t30\tPASS\tIA=1,.,3;IR=1,2,3,4;IG=0,1,2,3,4,5,6,7,8,9;AF=0.5,0.25,.;FA=1,2,3;FR=.,1,2,3;FG=0,1,2,3,4,5,6,7,8,9;ID=1,2,3,4"
    "\tGT:AD:PL:FA:EC:GP\t1/2:1,2,3,4:0,1,2,3,4,5,6,7,8,9:0.5,0.25,0.125:1,2,3\t3|0:.:.:4,8,16:.\t./2:.,.,.,.:.:32,64,2:.,.,.",
    "1\t5\t.\tC\tT,G\t30\tPASS\tDB;SA=x,.;SR=r,.,b;I1=7;S1=z\tGT:AD:PL:MQ:DP\t2:1,.,3:0,1,2:0.5:3\t.|2:.:.:.:4\t2|1:4,5,6:0,1,2,3,4,5:1.5",
    "1\t6\t.\tn\t<DEL>\t30\tPASS\tEND=500;I1=+2\tDP\t1\t.\t3",
    "1\t7\t.\tA\t.\t30\tPASS\t.\tGT:AD\t0/0:5\t0:.\t.",
]  # fmt: skip
# A contig that the header lacks, genotypes of three alleles, a comma that ends a list: what bcftools or Glow read otherwise.
ODD = ["1\t9\t.\tA\tC,G\t.\t.\tID=1,2,\tGT:XD\t0/1/2:a,\t0|1|1\t1", "1\t10\t.\tA\tC\t.\t.\tI1=.;SD=;NOTHING=3\tGT:NO:DP\t|1:4:5\t/0/1\t1"]
ODD += ["unknown\t8\t.\tA\tC,G\t.\tq10\tDB\tGT:DP\t1/2:3\t2/2:1\t0/1"]


def read(path: Path, divide: bool, target_bytes: int = 1 << 40) -> list[dict[str, Any]]:
    header = read_header(path)
    fields = declared_fields([(str(path), header.declarations)])
    schema = full_schema(fields, divide)
    batches = [batch for split in plan_splits(header, target_bytes) for batch in read_full(split, fields, header.sample_ids, divide)]
    table = pa.Table.from_batches(batches, schema)
    table.validate(full=True)
    return table.to_pylist()


def plain(path: Path) -> list[dict[str, Any]]:
    """The records as they stand."""
    data = path.read_bytes()
    text = (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode()
    declared: dict[tuple[str, str], tuple[str, str]] = {}
    rows = []
    people: list[str] = []
    for line in re.split(r"\r?\n", text):
        if found := re.match(r"##(INFO|FORMAT)=<.*?ID=([^,>]+),.*?Number=([^,>]+),.*?Type=([^,>]+)", line):
            declared[found[1], found[2]] = (found[3], found[4])
        elif line.startswith("#CHROM"):
            people = line.split("\t")[9:]
        elif line and not line.startswith("#"):
            rows.append(_record(line.split("\t"), declared, people))
    return rows


def _record(columns: list[str], declared: dict[tuple[str, str], tuple[str, str]], people: list[str]) -> dict[str, Any]:
    contig, pos, names, ref, alts, qual, filters, info = columns[:8]
    row: dict[str, Any] = {"contigName": contig, "start": int(pos) - 1, "end": int(pos) - 1 + len(ref)}
    row |= {"names": _split(names, ";"), "referenceAllele": ref, "alternateAlleles": _split(alts, ","), "filters": _split(filters, ";")}
    row |= {"qual": None if qual == "." else float(qual), "splitFromMultiAllelic": False}
    row |= {f"INFO_{name}": False if kind == "Flag" else None for (where, name), (_, kind) in declared.items() if where == "INFO"}
    for entry in info.split(";"):
        key, _, value = entry.partition("=")
        if ("INFO", key) in declared:
            row[f"INFO_{key}"] = _value(value, *declared["INFO", key])
    if (end := re.search(r"(?:^|;)END=(\d+)", info)) and int(end[1]) > row["start"]:
        row["end"] = int(end[1])
    names_of = columns[8].split(":") if people else []
    row["genotypes"] = [_person(person, text, names_of, declared) for person, text in zip(people, columns[9:], strict=True)] or None
    return row


def _person(person: str, text: str, names: list[str], declared: dict[tuple[str, str], tuple[str, str]]) -> dict[str, Any]:
    values = dict(zip(names, text.split(":"), strict=False))
    found: dict[str, Any] = {"sampleId": person, "phased": None, "calls": None}
    if "GT" in values:
        alleles = re.split(r"([/|])", values["GT"].lstrip("/|"))
        found |= {"phased": alleles[1:2] == ["|"], "calls": [-1 if allele == "." else int(allele) for allele in alleles[::2]]}
    for (where, name), (number, kind) in declared.items():
        if where == "FORMAT" and name != "GT":
            found[ALIASES.get(name, name)] = _value(values.get(name, ""), number, kind)
    return found


def _split(text: str, separator: str) -> list[str] | None:
    return None if text == "." else text.split(separator)


def _value(text: str, number: str, kind: str) -> Any:
    if kind == "Flag":
        return True
    read = {"Integer": int, "Float": float}.get(kind, str)
    if text in ("", "."):
        return None
    if number in ("0", "1"):
        return read(text)
    values = [None if part in ("", ".") else read(part) for part in text.removesuffix(",").split(",")]
    return [] if len(values) > 1 and set(values) == {None} else values


def by_bcftools(path: Path, *options: str) -> list[dict[str, Any]]:
    """The records as ``bcftools norm`` leaves them."""
    made = path.with_name(path.name + ".norm.vcf")
    bcftools.norm(*options, "-Ov", "-o", str(made), str(path), catch_stdout=False)
    return plain(made)


def same(found: list[dict[str, Any]], expected: list[dict[str, Any]], but: tuple[str, ...] = ()) -> None:
    """Compares cell by cell; NaNs are equal."""
    assert len(found) == len(expected)
    for row, other in zip(found, expected, strict=True):
        assert set(row) - set(but) == set(other) - set(but)
        for name in set(row) - set(but):
            if name != "genotypes":
                assert str(row[name]) == str(other[name]), (row["start"], name)
        for person, one in zip(row["genotypes"] or [], other["genotypes"] or [], strict=True):
            assert {name: str(value) for name, value in person.items()} == {name: str(value) for name, value in one.items()}, row["start"]
