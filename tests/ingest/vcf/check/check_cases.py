"""For each rule of ``check-vcf`` the smallest file that breaks it, and its twin that does not.

``docs/check-vcf.md`` is made from the rules: ``PYTHONPATH=tests/ingest/vcf/check python -m check_cases > docs/check-vcf.md``.
"""

import gzip
import re
from dataclasses import dataclass
from pathlib import Path

from genospark.ingest.vcf.check.rules import RULES, VERSIONS

INTRODUCTION = """# check-vcf

`genospark check-vcf FILE...` says whether files are what the VCF specification, 4.1 to 4.5, says: a line per finding, a summary per file,
and exit code 0, or 3 where a file has errors. It needs neither Spark nor Java, reads a file once, and holds a chunk of it at a time.

```
cohort.vcf.gz:812:POS: error [pos-order] POS is below that of the record before, on the same contig
cohort.vcf.gz:907:14: error [gt-allele] the genotype has an allele above 1, the number of ALT alleles
cohort.vcf.gz: not valid (VCF 4.2, 9750 records, 2504 samples): 2 errors, 0 warnings
```

A finding names file, line, column (of samples: the number of the column), severity and rule. Of each rule the first 20 are shown
(`--limit`), and all are counted; what is not declared in the header is named once. Nobody's genotype, values or id are shown.

Errors break what the file's version demands. Warnings break what it recommends, or what it demands and widespread files, among them the
specification's own examples, do not keep; they do not change the exit code. What `ingest-vcf` refuses is less and not the same: see
[faults](faults.md).

"""
EXTRA = '\n##contig=<ID=1,length=1000>\n##contig=<ID=2>\n##FILTER=<ID=q10,Description="q">\n##ALT=<ID=DEL,Description="d">'
DECLARED = {
    "INFO": "AC A Integer,AN 1 Integer,AF A Float,DP 1 Integer,END 1 Integer,DB 0 Flag,S 1 String,C 1 Character,CIGAR A String,"
    "SVLEN A Integer,SVCLAIM A String,CIPOS . Integer,RN A Integer,RUS . String,RUC . Float,RUB . Integer",
    "FORMAT": "GT 1 String,DP 1 Integer,GQ 1 Integer,PL G Integer,GL G Float,GP G Float,DS 1 Float,CN 1 Float,PS 1 Integer",
}
FIELDS = "".join(
    '\n##{}=<ID={},Number={},Type={},Description="d">'.format(column, *entry.split())
    for column, e in DECLARED.items()
    for entry in e.split(",")
)
COLUMNS = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO"
NAMES = ("chrom", "pos", "id", "ref", "alt", "qual", "filter", "info", "format", "s0", "s1")
GOOD = "1 5 . A C . PASS . GT 0/1 1/1"


def record(**changes: str) -> str:
    return "\t".join(changes.get(name, value) for name, value in zip(NAMES, GOOD.split(), strict=True))


def vcf(*records: str, version: str = "4.3", meta: str = "", columns: str = COLUMNS + "\tFORMAT\ta\tb") -> str:
    return f"##fileformat=VCFv{version}{EXTRA}{FIELDS}{meta and chr(10)}{meta}\n{columns}\n" + "".join(f"{line}\n" for line in records)


@dataclass(frozen=True)
class Case:
    """A file that breaks a rule (and, unless it is said otherwise, breaks no other), and one that does not."""

    rule: str
    bad: str | bytes
    good: str | bytes
    also: tuple[str, ...] = ()
    line: int | None = None

    def __str__(self) -> str:
        return self.rule


def sites(rule: str, bad: dict[str, str], good: dict[str, str], *also: str, version: str = "4.3") -> Case:
    """A case of one record, on the last line."""
    text = vcf(record(**bad), version=version)
    return Case(rule, text, vcf(record(**good), version=version), also, text.count("\n"))


def meta(rule: str, bad: str, good: str, *also: str, version: str = "4.3") -> Case:
    """A case of one meta line; the first word of a shortened one is completed."""
    bad, good = (re.sub("^(INFO|FORMAT) (.*)", r'##\1=<ID=\2,Description="d">', text) for text in (bad, good))
    text = vcf(version=version, meta=bad)
    return Case(rule, text, vcf(version=version, meta=good), also, text.count("\n") - bad.count("\n") - 1)


def samples(rule: str, format_: str, bad: str, good: str, *also: str, version: str = "4.4", **site: str) -> Case:
    """A case of the first sample of a record."""
    s1 = "." if format_.split(":")[0] != "GT" else "./."
    site = {**site, "format": format_, "s1": s1}
    return sites(rule, {**site, "s0": bad}, {**site, "s0": good}, *also, version=version)


REPEAT = {"alt": "<CNV:TR>", "format": "GT"}
CASES = [
    Case("file-readable", gzip.compress(vcf(record() * 50).encode())[:-30], vcf(record()), ("file-gzip", "record-columns")),
    Case("file-gzip", gzip.compress(vcf(record()).encode()), vcf(record())),
    Case("file-empty", "", vcf()),
    Case("file-bom", b"\xef\xbb\xbf" + vcf().encode(), vcf()),
    Case("file-utf8", vcf(record(info="S=x")).encode().replace(b"S=x", b"S=\xff"), vcf(record(info="S=é"))),
    Case("file-control", vcf(record(info="S=a\x01b")), vcf(record(info="S=ab")).replace("\n", "\r\n")),
    Case("file-line-end", vcf(record())[:-1], vcf(record())),
    Case("file-empty-line", vcf(record(), "", record(pos="6")), vcf(record(), record(pos="6"))),
    Case("file-empty-end", vcf(record(), ""), vcf(record())),
    Case("fileformat", vcf().replace("VCFv4.3", "VCFv4.3 "), vcf(), line=1),
    meta("fileformat", "##fileformat=VCFv4.3", "##source=x"),
    meta("meta-pair", "##reference=", "##reference=x"),
    meta("meta-structure", '##INFO=<ID=A,Number=1,Type=String,Description="d"', "INFO A,Number=1,Type=String"),
    meta("meta-key", "INFO A,Type=String", "INFO A,Number=.,Type=String"),
    meta("meta-key-repeated", "##contig=<ID=9,length=5,length=5>", "##contig=<ID=9,length=5>"),
    meta("meta-description", "##FILTER=<ID=s50>", '##FILTER=<ID=s50,Description="">', version="4.4"),
    meta("meta-order", '##FILTER=<Description="d",ID=s50>', '##FILTER=<ID=s50,Description="d">'),
    meta("meta-quotes", '##FILTER=<ID=s50,Description="a "b" c">', '##FILTER=<ID=s50,Description="a \\"b\\" c">'),
    meta("meta-quotes", "##FILTER=<ID=s50,Description=d>", '##FILTER=<ID=s50,Description="d">'),
    meta("meta-optional-quotes", '##FILTER=<ID=s50,Description="d",By=me>', '##FILTER=<ID=s50,Description="d",By="me">'),
    meta("meta-number", "INFO A,Number=P,Type=String", "INFO A,Number=R,Type=String"),
    meta("meta-number", "INFO A,Number=R,Type=String", "INFO A,Number=A,Type=String", version="4.1"),
    meta("meta-type", "FORMAT A,Number=1,Type=Flag", "FORMAT A,Number=1,Type=String"),
    meta("meta-flag", "INFO A,Number=1,Type=Flag", "INFO A,Number=0,Type=Flag"),
    meta("meta-id", "INFO A-B,Number=1,Type=String", "INFO A.B,Number=1,Type=String"),
    meta("meta-id", "##contig=<ID=*9>", "##contig=<ID=HLA-A*01:01>"),
    meta("meta-id-repeated", '##FILTER=<ID=q10,Description="d">', '##FILTER=<ID=q11,Description="d">'),
    meta("meta-contig-repeated", "##contig=<ID=1>", "##contig=<ID=9>"),
    meta("meta-reserved", "INFO NS,Number=A,Type=Integer", "INFO NS,Number=1,Type=Integer"),
    meta("meta-reserved", "FORMAT AD,Number=.,Type=Integer", "FORMAT AD,Number=R,Type=Integer"),
    meta("meta-reserved-sv", "INFO SVTYPE,Number=2,Type=String", "INFO SVTYPE,Number=1,Type=String"),
    meta("meta-alt-type", '##ALT=<ID=X:Y,Description="d">', '##ALT=<ID=DUP:Y,Description="d">'),
    meta("meta-alt-first", '##ALT=<ID=CN0,Description="d">', '##ALT=<ID=CNV,Description="d">', version="4.1"),
    meta("meta-contig-length", "##contig=<ID=9,length=x>", "##contig=<ID=9,length=7>"),
    meta("meta-contig-md5", "##contig=<ID=9,md5=f1>", f"##contig=<ID=9,md5={'f1' * 16}>"),
    meta("meta-url", "##assembly=ftp://1:80/a.fa", "##assembly=ftp://a1:80/a.fa"),
    meta("meta-url-form", "##assembly=a.fa", "##assembly=https://example.org/a.fa"),
    meta("meta-sample", '##SAMPLE=<ID=a,Mixture=1,Description="d">', '##SAMPLE=<ID=a,Genomes=g,Mixture=1,Description="d">', version="4.2"),
    meta("meta-pedigree", "##PEDIGREE=<ID=a,Father=b c>", "##PEDIGREE=<ID=a,Father=b>"),
    meta("meta-values", "##META=<ID=a,Type=String,Number=.,Values=x>", "##META=<ID=a,Type=String,Number=.,Values=[x, y]>"),
    Case("columns-missing", vcf().replace(COLUMNS, "##x=y"), vcf()),
    Case("columns-names", vcf(columns=COLUMNS.replace("REF", "Ref")), vcf(columns=COLUMNS)),
    Case("columns-names", vcf(columns=COLUMNS.replace("\t", " ")), vcf(columns=COLUMNS)),
    Case("columns-samples", vcf(columns=COLUMNS + "\tFORMAT"), vcf()),
    Case("sample-empty", vcf(columns=COLUMNS + "\tFORMAT\ta\t"), vcf()),
    Case("sample-repeated", vcf(columns=COLUMNS + "\tFORMAT\ta\ta"), vcf()),
    Case("record-columns", vcf(record() + "\t0/0"), vcf(record())),
    sites("chrom", {"chrom": "1 2"}, {"chrom": "1"}),
    sites("chrom", {"chrom": "<1"}, {"chrom": "<1>"}),
    sites("chrom-undeclared", {"chrom": "9"}, {"chrom": "2"}),
    sites("pos", {"pos": "x"}, {"pos": "0"}),
    sites("pos", {"pos": "99999999999999999999"}, {"pos": "7"}),
    sites("pos-beyond", {"pos": "1002"}, {"pos": "1001"}),
    Case("pos-order", vcf(record(pos="9"), record()), vcf(record(), record(pos="9"))),
    Case("chrom-contiguous", vcf(record(), record(chrom="2"), record(pos="9")), vcf(record(), record(pos="9"), record(chrom="2"))),
    sites("id", {"id": "a;"}, {"id": "a;b"}),
    sites("id", {"id": "a b"}, {"id": "a"}),
    sites("id-repeated", {"id": "a;a"}, {"id": "a;b"}),
    Case("id-shared", vcf(record(id="a"), record(pos="6", id="a")), vcf(record(id="a"), record(pos="6", id="b"))),
    sites("ref", {"ref": "R"}, {"ref": "n"}),
    sites("alt", {"alt": "C,."}, {"alt": "C,*"}),
    sites("alt", {"alt": "]1:9]"}, {"alt": "]<x>:9]T"}),
    sites("alt-type", {"alt": "<X:Y>"}, {"alt": "<DEL>"}),
    sites("alt-undeclared", {"alt": "<DUP>"}, {"alt": "<DEL>"}),
    sites("alt-repeated", {"alt": "C,c"}, {"alt": "C,G"}),
    sites("alt-is-ref", {"alt": "a"}, {"alt": "AA"}),
    sites("alt-is-ref", {"alt": "G,A"}, {"alt": "G,T"}),
    Case("variant-repeated", vcf(record(), record()), vcf(record(), record(alt="G"))),
    Case("variant-repeated", vcf(record(pos="4", ref="TA", alt="TC"), record()), vcf(record(pos="4", ref="TA", alt="TCC"), record())),
    sites("qual", {"qual": "-3"}, {"qual": "3e1"}),
    sites("filter", {"filter": "q10;"}, {"filter": "q10"}),
    sites("filter-pass", {"filter": "q10;PASS"}, {"filter": "."}),
    sites("filter-zero", {"filter": "0"}, {"filter": "q10"}, "filter-undeclared"),
    sites("filter-repeated", {"filter": "q10;q10"}, {"filter": "q10"}),
    sites("filter-undeclared", {"filter": "q11"}, {"filter": "q10"}),
    sites("info", {"info": "DB;"}, {"info": "DB"}),
    sites("info-key", {"info": "1A=3"}, {"info": "DP=3"}, "info-undeclared"),
    sites("info-space", {"info": "S=a b"}, {"info": "S=a_b"}, version="4.2"),
    sites("info-space", {"info": "S S=a"}, {"info": "S=a b"}, "info-undeclared"),
    sites("info-equals", {"info": "S=a=b"}, {"info": "S=a%3Db"}),
    sites("info-repeated", {"info": "DP=3;DP=3"}, {"info": "DP=3;DB"}),
    sites("info-undeclared", {"info": "XX=3"}, {"info": "DP=3"}),
    sites("info-value", {"info": "DP"}, {"info": "DP=."}),
    sites("info-flag", {"info": "DB=yes"}, {"info": "DB"}),
    sites("info-flag-number", {"info": "DB=1"}, {"info": "DB"}),
    sites("info-type", {"info": "DP=3.5"}, {"info": "DP=3"}),
    sites("info-type", {"info": "DP=2147483648"}, {"info": "DP=2147483647"}),
    sites("info-type", {"info": "C=ab"}, {"info": "C=é"}),
    sites("info-type", {"info": "CIGAR=M3"}, {"info": "CIGAR=3M"}),
    sites("info-number", {"info": "AC=3,4"}, {"info": "AC=3"}),
    sites("info-number", {"info": "S=a,b"}, {"info": "S=a%2Cb"}),
    sites("info-quoted", {"info": 'S="a,b"'}, {"info": 'S="ab"'}),
    sites("info-range", {"info": "AF=1.01"}, {"info": "AF=1e-3"}),
    sites("info-percent", {"info": "S=5%"}, {"info": "S=5%25"}),
    sites("info-ac-an", {"info": "AC=2,3;AN=4", "alt": "C,G"}, {"info": "AC=2,2;AN=4", "alt": "C,G"}),
    sites("info-end", {"info": "END=4"}, {"info": "END=5"}),
    sites("sv-svlen", {"alt": "<DEL>", "info": "SVCLAIM=D"}, {"alt": "<DEL>", "info": "SVCLAIM=D;SVLEN=3"}, version="4.4"),
    sites("sv-svlen-other", {"info": "SVLEN=3"}, {"info": "SVLEN=."}, version="4.4"),
    sites("sv-svclaim", {"alt": "<DEL>", "info": "SVLEN=3"}, {"alt": "<DEL>", "info": "SVLEN=3;SVCLAIM=DJ"}, version="4.4"),
    sites("sv-count", {"info": "CIPOS=-1"}, {"info": "CIPOS=-1,1"}, version="4.4"),
    sites("sv-interval", {"info": "CIPOS=1,2"}, {"info": "CIPOS=-1,2"}, version="4.4"),
    sites(
        "sv-repeat", {**REPEAT, "info": "SVLEN=3;RUS=CA,TA"}, {**REPEAT, "info": "SVLEN=3;RN=2;RUS=CA,TA"}, "alt-undeclared", version="4.4"
    ),
    sites(
        "sv-repeat-units",
        {**REPEAT, "info": "SVLEN=3;RUS=CA;RUC=2;RUB=2"},
        {**REPEAT, "info": "SVLEN=3;RUS=CA;RUC=2;RUB=2,3"},
        "alt-undeclared",
        version="4.4",
    ),
    samples("sv-cn-length", "GT:CN", "0/1:2", "0/1:2", version="4.4", alt="<DEL>,<DEL>", info="SVLEN=3,4;SVCLAIM=D,D"),
    samples("format", "GT:", "0/1", "0/1"),
    samples("format-gt", "DP:GT", "3:0/1", "3:0/1"),
    samples("format-key", "GT:D*", "0/1:3", "0/1:3", "format-undeclared"),
    samples("format-key-letters", "GT:D_P", "0/1:3", "0/1:3", "format-undeclared", version="4.2"),
    samples("format-repeated", "GT:DP:DP", "0/1:3:3", "0/1:3:3"),
    samples("format-undeclared", "GT:XX", "0/1:3", "0/1:3"),
    samples("format-needs", "GT:CICN", "0/1:-1,1", "0/1:-1,1", "format-undeclared"),
    samples("sample-fields", "GT:DP", "0/1:3:4", "0/1:3"),
    samples("sample-fields", "GT:DP:GQ", "0/1::4", "0/1:.:4"),
    samples("gt", "GT", "0/A", "|0/1"),
    samples("gt", "GT", "/0/1", "0/1", version="4.3"),
    samples("gt", "GT", "", "."),
    samples("gt-end", "GT", "0/1/", "0/1/1"),
    samples("gt-allele", "GT", "0/2", "0/1"),
    samples("gt-allele", "GT:DP", "0/11:3", "0/10:3", alt=",".join("ACGT"[i % 4] + "ACGT"[i // 4] for i in range(10))),
    samples("gt-allele-dot", "GT", "0/1", "0/0", alt="."),
    samples("sample-type", "GT:DP", "0/1:x", "0/1:7"),
    samples("sample-type-reserved", "GT:PP", "0/1:x,1,1", "0/1:0,1,1", "format-undeclared"),
    samples("sample-number", "GT:PL", "0/1:1,2", "0/1:1,2,3"),
    samples("sample-number", "GT:PL", "0:1,2,3", "0:1,2"),
    samples("sample-number", "GT:PL", "0/1/1:1,2,3", "0/1/1:1,2,3,4"),
    samples("sample-number", "PL", "1,2", "1,2,3"),
    samples("sample-range", "GT:GQ", "0/1:-1", "0/1:99"),
    samples("sample-range", "GT:GP", "0/1:0,1.5,0", "0/1:0,1.0,1e-5"),
    samples("sample-likelihood", "GT:GL", "0/1:0,1,-3.2", "0/1:0,-1,-3.2"),
    samples("sample-interval", "GT:CN:CICN", "0/1:2:1,2", "0/1:2:-1,2", "format-undeclared"),
    samples("sample-phase-set", "GT:PSL", "0/1:x,.", "0/|1:.,x".replace("/|", "|"), "format-undeclared"),
    samples("sample-phase-set", "GT:PS:PSL", "0|1:3:x,x", "0|1:.:x,x", "format-undeclared"),
    samples("sample-local", "GT:LAA:LAD", "0/1:2:3,4", "0/1:1:3,4", "format-undeclared", version="4.5"),
    samples("sample-number", "GT:LAA:LPL", "0/1:1:3,4", "0/0::3", "format-undeclared", version="4.5"),
]  # fmt: skip
TWINS = {
    "sv-cn-length": ("SVLEN=3,4", "SVLEN=3,3"),
    "format": ("GT:\t", "GT\t"),
    "format-gt": ("DP:GT\t3:0/1\t.", "GT:DP\t0/1:3\t./."),
    "format-key": ("D*", "DP"),
    "format-key-letters": ("D_P", "DP"),
    "format-repeated": ("GT:DP:DP\t0/1:3:3", "GT:DP:GQ\t0/1:3:3"),
    "format-undeclared": ("XX", "DP"),
    "format-needs": ("GT:CICN\t0/1:", "GT:CN:CICN\t0/1:2:"),
}
"""Good twins that differ from the bad file in more than a sample: what is replaced in it."""


def good_twin(case: Case) -> str | bytes:
    if case.rule in TWINS:
        assert isinstance(case.bad, str)
        return case.bad.replace(*TWINS[case.rule])
    return case.good


def document() -> str:
    """The page on ``check-vcf``."""
    rows = []
    for rule in RULES.values():
        cells = [_range(rule.error), _range(rule.warning)]
        rows.append(f"| `{rule.id}` | {rule.says.replace('|', chr(92) + '|').replace('<', '&lt;')} | {cells[0]} | {cells[1]} |\n")
    return INTRODUCTION + "| rule | a valid file | error in | warning in |\n|---|---|---|---|\n" + "".join(rows)


def _range(versions: tuple[str, ...]) -> str:
    if versions == VERSIONS:
        return "all"
    return "" if not versions else versions[0] if len(versions) == 1 else f"{versions[0]} to {versions[-1]}"


if __name__ == "__main__":
    print(document(), end="")


def write(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path
