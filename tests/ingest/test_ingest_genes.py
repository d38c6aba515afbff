"""Gene annotation, regulators and terms to tables; attributes against a parser that reads one character at a time."""

from __future__ import annotations

import gzip
import re
from collections import Counter
from pathlib import Path
from urllib.parse import quote

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from genospark.core.storage import Warehouse
from genospark.errors import ConfigError, InputError
from genospark.ingest.annotation import read_annotation
from genospark.ingest.attributes import attribute
from genospark.ingest.genes import IngestGenesConfig, ingest_genes, read_genes, read_regulators, read_terms
from genospark.simulate import SimulateConfig, simulate_cohort

CONFIG = IngestGenesConfig(warehouse="w")
KEYS = ["gene_id", "note", "gene_name", "tag", "id"]
TEXT = st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=12)


def _file(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


def _line(feature: str, start: object, end: object, attributes: str, contig: str = "chr1", strand: str = "+") -> str:
    return f"{contig}\ttest\t{feature}\t{start}\t{end}\t.\t{strand}\t.\t{attributes}\n"


def _rows(path: Path) -> list[tuple[object, ...]]:
    columns = ["geneId", "geneName", "biotype", "contigName", "start", "end", "strand"]
    return list(read_annotation(path)[columns].itertuples(index=False, name=None))


def _scan(text: str) -> dict[str, str]:
    """Attributes of GTF, one character at a time; of a key that stands twice the first value."""
    found: dict[str, str] = {}
    place = 0
    while place < len(text):
        if text[place] in "; ":
            place += 1
            continue
        end = text.index(" ", place)
        key, place, value = text[place:end], end + 1, ""
        if text[place] == '"':
            place += 1
            while text[place] != '"':
                if text[place] == "\\" and text[place + 1] in '"\\':
                    place += 1
                value += text[place]
                place += 1
            place += 1
        else:
            while place < len(text) and text[place] != ";":
                value += text[place]
                place += 1
        found.setdefault(key, value)
    return found


@given(st.lists(st.tuples(st.sampled_from(KEYS), TEXT), min_size=1), st.booleans())
def test_gtf_attributes_are_those_that_were_written(pairs: list[tuple[str, str]], ends: bool) -> None:
    """Semicolons, quotes, backslashes and other keys inside of quotes end nothing."""
    escaped = ['{} "{}"'.format(key, value.replace("\\", "\\\\").replace('"', '\\"')) for key, value in pairs]
    text = "; ".join(escaped) + (";" if ends else "")
    true: dict[str, str] = {}
    for key, value in pairs:
        true.setdefault(key, value)
    assert _scan(text) == true
    for key in KEYS:
        assert attribute(pd.Series([text]), key, gff3=False).tolist() == [true.get(key) or None]


@given(st.lists(st.tuples(st.sampled_from(KEYS), st.text(st.characters(codec="utf-8"), max_size=12)), min_size=1, unique_by=lambda p: p[0]))
def test_gff3_attributes_are_percent_decoded(pairs: list[tuple[str, str]]) -> None:
    text = ";".join(f"{key}={quote(value, safe='')}" for key, value in pairs)
    for key in KEYS:
        assert attribute(pd.Series([text]), key, gff3=True).tolist() == [dict(pairs).get(key) or None]


@pytest.mark.parametrize(
    ("text", "gff3", "value"),
    [
        ('gene_id "A.1"; note "x; gene_id \\"B\\";";', False, "A.1"),
        ('note "x; gene_id B; "; gene_id A.1', False, "A.1"),
        ("gene_id A.1 ; gene_name x", False, "A.1"),
        (' ;gene_id  "A 1";level 2;', False, "A 1"),
        ('my_gene_id "B"; gene_id "A"', False, "A"),
        ('gene_id ""; level 2', False, None),
        ('gene_name "A"', False, None),
        ('note=5" end;gene_id=A%3B1;x=y', True, "A;1"),
        ('ID=x; gene_id = "A" ', True, "A"),
        ("my_gene_id=B;ID=x", True, None),
    ],
)
def test_attributes_by_hand(text: str, gff3: bool, value: str | None) -> None:
    assert attribute(pd.Series([text]), "gene_id", gff3).tolist() == [value]


ENSEMBL_GTF = (
    "#!genome-build GRCh38\n"
    + _line("gene", 11, 20, 'gene_id "G1"; gene_version "2"; gene_name "A;B"; gene_source "x"; gene_biotype "lncRNA";', "1")
    + _line("transcript", 11, 20, 'gene_id "G1"; transcript_id "T1";', "1")
    + "\n"
    + _line("gene", 5, 5, 'gene_id "G2"; gene_biotype "protein_coding";', "X", "-")
)
ENSEMBL_GFF3 = (
    "##gff-version 3\n##sequence-region 1 1 100\n"
    + _line("chromosome", 1, 100, "ID=chromosome:1;Alias=CM000663.2", "1", ".")
    + "###\n"
    + _line("ncRNA_gene", 11, 20, "ID=gene:G1;Name=A%3BB;biotype=lncRNA;gene_id=G1;version=2", "1")
    + _line("lnc_RNA", 11, 20, "ID=transcript:T1;Parent=gene:G1;biotype=lncRNA;transcript_id=T1", "1")
    + _line("gene", 5, 5, "ID=gene:G2;biotype=protein_coding", "X", "-")
    + _line("mRNA", 5, 5, "ID=transcript:T2;Parent=gene:G2", "X", "-")
    + "##FASTA\n>1\nACGT\n"
)
REFSEQ_GFF3 = (
    "##gff-version 3\n"
    + _line("region", 1, 100, "ID=NC_1:1..100;Dbxref=taxon:9606", "1")
    + _line("gene", 11, 20, "ID=gene-G1;Dbxref=GeneID:1,HGNC:HGNC:2;Name=A%3BB;gbkey=Gene;gene=A;gene_biotype=lncRNA", "1")
    + _line("pseudogene", 5, 5, "ID=gene-G2;gene_biotype=protein_coding", "X", "-")
)


@pytest.mark.parametrize("text", [ENSEMBL_GTF, ENSEMBL_GFF3, REFSEQ_GFF3, ENSEMBL_GTF.replace("\n", "\r\n")])
@pytest.mark.parametrize("name", ["genes.txt", "genes.gz"])
def test_dialects_give_the_same_genes(tmp_path: Path, text: str, name: str) -> None:
    assert _rows(_file(tmp_path, name, text)) == [
        ("G1", "A;B", "lncRNA", "1", 10, 20, "+"),
        ("G2", None, "protein_coding", "X", 4, 5, "-"),
    ]


def test_genes_without_a_line_follow_from_transcripts_or_exons(tmp_path: Path) -> None:
    gene = _line("gene", 1, 9, 'gene_id "G1"; gene_name "whole";')
    transcripts = "".join(_line("transcript", *place, 'gene_id "G2"; gene_name "N"; gene_type "t";') for place in ((30, 40), (20, 35)))
    inside = _line("transcript", 2, 8, 'gene_id "G1";')
    exons = "".join(_line("exon", *place, 'gene_id G3; exon_number "1"', strand=".") for place in ((7, 8), (3, 4)))
    whole, derived = ("G1", "whole", None, "chr1", 0, 9, "+"), ("G2", "N", "t", "chr1", 19, 40, "+")
    assert _rows(_file(tmp_path, "a.gtf", transcripts + gene + inside + exons)) == [derived, whole]
    assert _rows(_file(tmp_path, "b.gtf", transcripts)) == [derived]
    assert _rows(_file(tmp_path, "c.gtf", exons)) == [("G3", None, None, "chr1", 2, 8, None)]


def test_the_public_annotation_matches_a_plain_reading_of_its_lines(shared_data: Path) -> None:
    path = shared_data / "cohort-1000g-chr22" / "gencode.v19.annotation.chr22.gtf.gz"
    genes, parts = {}, {}
    for line in gzip.decompress(path.read_bytes()).decode().splitlines():
        contig, _, feature, start, end, _, strand, _, attributes = line.split("\t")
        found = dict(re.findall(r'(\w+) "([^"]*)"', attributes))
        row = (found["gene_name"], found["gene_type"], contig, int(start) - 1, int(end), strand)
        if feature == "gene":
            genes[found["gene_id"]] = row
        elif feature == "transcript":
            before = parts.get(found["gene_id"], row)
            parts[found["gene_id"]] = (*row[:3], min(row[3], before[3]), max(row[4], before[4]), strand)
    without_line = {gene: row for gene, row in parts.items() if gene not in genes}
    assert (len(genes), len(without_line)) == (1206, 16)
    rows = {row[0]: row[1:] for row in _rows(path)}
    assert rows == genes | without_line
    biotypes = Counter(rows[gene][1] for gene in genes)
    assert biotypes["protein_coding"] == Counter(row[1] for row in genes.values())["protein_coding"] > 400
    # From the file's first line of a gene, and BCR's, by hand.
    assert rows["ENSG00000233866.1"] == ("LA16c-4G1.3", "lincRNA", "chr22", 16062156, 16063236, "+")
    assert rows["ENSG00000186716.15"] == ("BCR", "protein_coding", "chr22", 23521890, 23660224, "+")


def test_genes_of_a_simulated_cohort_are_those_of_its_files(spark: SparkSession, tmp_path: Path) -> None:
    small = {"people": 20, "variants": 100, "genes": 40, "reads": {"people": 0}}
    files = simulate_cohort(SimulateConfig.model_validate(small), tmp_path / "files")
    inputs = [str(files.annotation), f"regulators={files.regulators}", f"terms={files.gene_terms}"]
    config = IngestGenesConfig(warehouse=str(tmp_path), inputs=inputs, strip_contig_prefix="chr")
    ingest_genes(config, spark)
    warehouse = Warehouse(spark, str(tmp_path))
    genes = warehouse.read("genes").toPandas().set_index("geneId").sort_index()
    truth = pd.read_csv(files.truth / "genes.tsv", sep="\t").drop_duplicates("geneId").set_index("geneId").sort_index()
    assert genes.index.equals(truth.index)
    assert (genes["start"] == truth["start"]).all()
    assert ("chr" + genes["contigName"] == truth["contigName"]).all()
    listed = set(pd.read_csv(files.regulators, sep="\t")["geneId"])
    assert listed and set(genes.index[genes["isRegulator"].astype(bool)]) == listed
    terms = warehouse.read("geneTerms").drop("runId").toPandas()
    given_terms = pd.read_csv(files.gene_terms, sep="\t")
    assert sorted(terms.fillna("").itertuples(index=False, name=None)) == sorted(given_terms.fillna("").itertuples(index=False, name=None))
    assert set(genes.index) - set(terms["geneId"])  # not looked at
    # Terms alone leave the genes as they are; without a list it is not known who regulates.
    ingest_genes(config.model_copy(update={"inputs": inputs[2:]}), spark)
    assert Warehouse(spark, str(tmp_path)).read("genes").count() == len(genes)
    ingest_genes(config.model_copy(update={"inputs": inputs[:1]}), spark)
    assert Warehouse(spark, str(tmp_path)).read("genes").where("isRegulator is null").count() == len(genes)


def test_contigs_are_renamed(tmp_path: Path) -> None:
    text = "".join(_line("gene", 1, 2, f"gene_id G{k}", contig) for k, contig in enumerate(("chr1", "chrM", "2")))
    path = _file(tmp_path, "g.gtf", text)
    for update, names in (
        ({"strip_contig_prefix": "chr", "contig_names": {"chrM": "MT"}}, ["1", "2", "MT"]),
        ({"add_contig_prefix": "chr"}, ["chr1", "chr2", "chrM"]),
    ):
        assert list(read_genes([path], CONFIG.model_copy(update=update))["contigName"]) == names


def test_genes_on_both_sex_chromosomes_need_two_names(tmp_path: Path) -> None:
    x, y = (_line("gene", 1, 9, 'gene_id "G1.1"', contig) for contig in ("chrX", "chrY"))
    two = read_genes([_file(tmp_path, "two.gtf", x + y.replace("G1.1", "G1.1_PAR_Y"))], CONFIG)
    assert list(two["geneId"]) == ["G1.1", "G1.1_PAR_Y"]
    one = _file(tmp_path, "one.gtf", "#a\n\n" + x + y)
    with pytest.raises(InputError, match=r"one\.gtf: line 4: gene G1\.1 stands more than once, on chrX from 1 and on chrY from 1"):
        read_genes([one], CONFIG)
    with pytest.raises(InputError, match=r"more\.gtf: line 1: gene G1\.1 stands more than once"):
        read_genes([_file(tmp_path, "two.gtf", x), _file(tmp_path, "more.gtf", x)], CONFIG)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "cannot be read"),
        ("\n", "no line of a gene"),
        ("#only a comment\n", "no line of a gene"),
        (_line("contig", 1, 9, "gene_id G"), "no line of a gene"),
        ("\n#c\n" + _line("gene", 1, 9, "gene_id G").replace("\t.\t+", ""), "line 3: 7 columns where 9 are expected"),
        ("chr1 test gene 1 9 . + . gene_id G\n", "line 1: 1 columns"),
        ("#c\n" + _line("gene", 1, 9, "gene_id G") + "\n" + _line("gene", 0, 9, "gene_id H"), "line 4: 0 to 9 is no interval"),
        (_line("gene", 9, 1, "gene_id G"), "line 1: 9 to 1"),
        (_line("gene", "1.5", 3, "gene_id G"), "line 1: 1.5 to 3"),
        (_line("gene", "one", 3, "gene_id G"), "line 1: one to 3"),
        (_line("gene", 1, 3, 'gene_name "x; gene_id y"'), "line 1: no gene_id"),
        (_line("gene", 1, 3, "."), "line 1: no gene_id"),
        (_line("gene", 1, 3, "Name=x"), "line 1: no gene_id"),
        (_line("exon", 1, 3, "ID=exon1;Parent=t1"), "line 1: no gene_id"),
    ],
)
def test_bad_annotation_names_file_line_and_reason(tmp_path: Path, text: str, says: str) -> None:
    path = _file(tmp_path, "g.gtf", text)
    with pytest.raises(InputError, match=says) as caught:
        read_annotation(path)
    assert str(path) in caught.value.problem and caught.value.next_step


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    path = _file(tmp_path, "g.gtf.gz", "".join(_line("gene", 1, k + 1, f"gene_id G{k}") for k in range(5000)))
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(InputError, match="cannot be read"):
        read_annotation(path)
    latin = tmp_path / "l.gtf"
    latin.write_bytes(_line("gene", 1, 2, "gene_id Gé").encode("latin-1"))
    with pytest.raises(InputError, match="cannot be read"):
        read_annotation(latin)
    with pytest.raises(InputError, match="cannot be read"):
        read_annotation(tmp_path / "absent.gtf")


def test_regulators_come_as_a_list_or_a_table(tmp_path: Path) -> None:
    for text in ("G1\nG2\n", "geneId\nG1\nG2\n", "name\tgeneId\nx\tG1\ny\tG2\n", "#geneId\nG1\nG2\n"):
        assert read_regulators(_file(tmp_path, "r.tsv", text), "geneId") == {"G1", "G2"}
    with pytest.raises(InputError, match="no column geneId"):
        read_regulators(_file(tmp_path, "r.tsv", "name\tid\nx\tG1\n"), "geneId")


def test_terms_tell_without_a_term_from_not_looked_at(tmp_path: Path) -> None:
    path = _file(tmp_path, "t.tsv", "termId\tgeneId\tby\nT1\tG1\tx\nT1\tG1\ty\nT2\tG1\tx\nNA\tG2\tx\n")
    rows = read_terms([path], CONFIG)
    assert rows.fillna("").values.tolist() == [["G1", "T1"], ["G1", "T2"], ["G2", ""]]
    other = _file(tmp_path, "u.tsv", "geneId\ttermId\nG3\tT1\nG1\tNA\n")
    with pytest.raises(InputError, match=r"u\.tsv: line 3: G1 has no term here and has one"):
        read_terms([path, other], CONFIG)
    with pytest.raises(InputError, match="line 2: no geneId"):
        read_terms([_file(tmp_path, "v.tsv", "geneId\ttermId\nNA\tT1\n")], CONFIG)
    with pytest.raises(InputError, match="no column termId"):
        read_terms([_file(tmp_path, "w.tsv", "geneId\tterm\nG1\tT1\n")], CONFIG)


def test_files_that_do_not_fit_together_are_refused(spark: SparkSession, tmp_path: Path) -> None:
    genes = _file(tmp_path, "g.gtf", _line("gene", 1, 2, 'gene_id "G1.1"; gene_name "A";'))
    other = _file(tmp_path, "o.tsv", "geneId\ttermId\nG1\tT1\n")
    for role, says in (("regulators", "none of its regulators"), ("terms", "none of its genes with terms")):
        with pytest.raises(InputError, match=says):
            ingest_genes(
                CONFIG.model_copy(update={"warehouse": str(tmp_path / "w"), "inputs": [f"genes={genes}", f"{role}={other}"]}), spark
            )
    for inputs, says in (
        ([f"gene={genes}"], "no role gene"),
        ([f"regulators={other}"], "no file of genes or terms"),
        ([], "no file of genes or terms"),
    ):
        with pytest.raises(ConfigError, match=says):
            ingest_genes(CONFIG.model_copy(update={"inputs": inputs}), spark)
    both = [f"terms={other}", f"regulators={other}"]
    with pytest.raises(ConfigError, match="regulators without an annotation"):
        ingest_genes(CONFIG.model_copy(update={"inputs": both}), spark)
