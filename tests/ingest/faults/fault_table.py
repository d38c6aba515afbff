"""The faults of every kind of input: how each is made, what strict mode says of it, and what quarantine does.

``docs/faults.md`` is made from it: ``PYTHONPATH=tests/ingest/faults python -m fault_table > docs/faults.md``.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby
from pathlib import Path

import pysam
from fault_case import ENDS, Fault
from fault_files import REFERENCE, bam, bgzipped, cram, cut, fasta, flip, good, vcf, write
from fault_formats import FORMATS


def _vcf(*files: str | bytes) -> Callable[[Path], list[object]]:
    return lambda folder: ["ingest-vcf", *_inputs(write(folder, f"{n}.vcf", text) for n, text in enumerate(files))]


def _inputs(paths: object) -> list[object]:
    return [word for path in paths for word in ("--input", path)]


def _spoilt(line: str) -> Callable[[Path], list[object]]:
    return _vcf(vcf(*good(5), line, *good(9)))


def _table(stage: str, name: str, text: str, role: str = "") -> Callable[[Path], list[object]]:
    return lambda folder: [stage, "--input", f"{role}{write(folder, name, text)}"]


def _with_labels(role: str, text: str) -> Callable[[Path], list[object]]:
    labels = "sampleId\tdisease\nAnn\t0\nBob\t1\n"
    return lambda folder: ["ingest-phenotypes", *_inputs([write(folder, "labels.tsv", labels), f"{role}={write(folder, 'x.tsv', text)}"])]


def _with_genes(role: str, text: str) -> Callable[[Path], list[object]]:
    return lambda folder: [
        "ingest-genes",
        *_inputs([write(folder, "genes.gtf", GENE.format(5, "G1")), f"{role}={write(folder, 'x.tsv', text)}"]),
    ]


def _reads(make: Callable[[Path], Path], reference: Callable[[Path], Path] = fasta) -> Callable[[Path], list[object]]:
    return lambda folder: ["ingest-reads", "--input", make(folder), "--set", f"reference={reference(folder)}"]


def _sheet(text: str) -> Callable[[Path], list[object]]:
    """A sheet beside a BAM."""
    return lambda folder: ["ingest-reads", *_inputs([bam(folder), f"samples={write(folder, 's.tsv', text)}"]), *_reads(bam)(folder)[3:]]


def _stale(suffix: str) -> Callable[[Path], Path]:
    """A BAM with the index of another one."""

    def make(folder: Path) -> Path:
        other = bam(folder / "other", starts=range(0, 400, 8))
        path = bam(folder)
        Path(f"{path}{suffix}").write_bytes(Path(f"{other}{suffix}").read_bytes())
        return path

    return make


def _stale_fai(folder: Path) -> Path:
    path = fasta(folder, bases=REFERENCE)
    write(folder, "reference.fa", f">other\nACGT\n>22\n{REFERENCE}\n")
    return path


def _unsorted(folder: Path) -> Path:
    path = bam(folder, starts=[*range(0, 800, 8), 0])
    # An index of the same reads in order, as if it had been copied along.
    ordered = bam(folder / "ordered", starts=[*range(0, 800, 8), 800])
    Path(f"{path}.bai").write_bytes(Path(f"{ordered}.bai").read_bytes())
    return path


def _unindexed(folder: Path) -> Path:
    path = bam(folder)
    Path(f"{path}.bai").unlink()
    return path


def _two_people(folder: Path) -> Path:
    path = bam(folder, "two.bam")
    with pysam.AlignmentFile(str(path)) as file:
        text, reads = str(file.header), list(file)
    with pysam.AlignmentFile(str(path), "wb", text=f"{text}@RG\tID:2\tSM:Bob\n") as file:
        for read in reads:
            file.write(read)
    pysam.index(str(path))
    return path


def _known(folder: Path, contig: str, index: bool = True) -> list[object]:
    """Recalibration by sites of a VCF."""
    sites = bgzipped(folder, "k.vcf.gz", vcf(*(line.replace("22", contig, 1) for line in good(5))))
    if index:
        pysam.tabix_index(str(sites), preset="vcf")
    return [*_reads(bam)(folder), "--set", "recalibrate=true", "--set", f"known_sites={sites}"]


def _dangling(folder: Path) -> list[object]:
    folder.mkdir(parents=True)
    (folder / "gone.vcf").symlink_to(folder / "nowhere.vcf")
    return ["ingest-vcf", "--input", folder / "gone.vcf"]


GENE = '22\tx\tgene\t{}\t90\t.\t+\t.\tgene_id "{}";\n'
_TSV = "sampleId\tG1\tG2\nAnn\t1\t2\n{}\nCid\t3\t4\n"
_LABELS = "sampleId\tdisease\nAnn\t0\nBob\t1\n{}\n"
_GCT = "#1.2\n2\t2\nName\tDescription\tAnn\tBob\nG1\tx\t1\t2\n{}\n"
_SHEET = "sample\tsampleId\nAnn\t1\n"
_MORE = "Bob\t2\nCid\t3\nDan\t4\n"
_SCORE = (
    "#format_version=2.0\n#pgs_id=PGS1\n#weight_type={}\n"
    "chr_name\tchr_position\teffect_allele\tother_allele\teffect_weight\n22\t5\tA\tC\t1.5\n{}\n"
)
_BED = "#chr\tstart\tend\tgene\tAnn\tBob\n22\t1\t2\tG1\t1\t2\n{}\n"

VCF = [
    Fault(
        "VCF",
        "bgzip cut short",
        lambda f: ["ingest-vcf", *_inputs([cut(bgzipped(f, "a.vcf.gz", vcf(*good(*range(1, 999)))), 40)])],
        "the file is truncated",
    ),
    Fault(
        "VCF",
        "a damaged block of bgzip",
        lambda f: ["ingest-vcf", *_inputs([flip(bgzipped(f, "a.vcf.gz", vcf(*good(*range(1, 5000)))), 0.6)])],
        "is damaged",
    ),
    Fault(
        "VCF",
        "too few columns",
        _spoilt("22\t7\t.\tA\tC"),
        "line 5 (22:7): wrong number of columns (expected 11, found 5)",
        quarantine="wrong number of columns",
    ),
    Fault(
        "VCF",
        "bad POS",
        _spoilt("22\tseven\t.\tA\tC\t.\t.\t.\tGT\t0|1\t1|1"),
        "line 5 (22:seven): POS is not a positive integer",
        quarantine="POS is not a positive integer (or 0 for a telomere)",
    ),
    Fault(
        "VCF",
        "REF of other letters",
        _spoilt("22\t7\t.\tAR\tC\t.\t.\t.\tGT\t0|1\t1|1"),
        "REF is not made of the letters A, C, G, T and N",
        quarantine="REF is not made of the letters A, C, G, T and N",
    ),
    Fault(
        "VCF",
        "unknown allele number",
        _spoilt("22\t7\t.\tA\tC\t.\t.\t.\tGT\t0|1\t1|2"),
        "the genotype of sample 2 (column 11) has allele 2 but ALT has 1",
        quarantine="a genotype has an allele that ALT has not",
    ),
    Fault(
        "VCF",
        "text for a genotype",
        _spoilt("22\t7\t.\tA\tC\t.\t.\t.\tGT\tA/C\t1|1"),
        "'A/C', sample 1 (column 10), cannot be read as a genotype",
        quarantine="a genotype cannot be read",
    ),
    Fault(
        "VCF",
        "a depth that is none, where it is kept",
        lambda folder: [*_spoilt("22\t7\t.\tA\tC\t.\t.\t.\tGT:DP\t0/0:-3\t1|1:3")(folder), "--set", "keep=[DP]"],
        "DP of a genotype is not a whole number from 0 on: sample 1 (column 10)",
        quarantine="DP of a genotype is not a whole number from 0 on",
    ),
    Fault(
        "VCF",
        "a variant twice",
        _spoilt(good(5)[0]),
        "22:5 A>C: the variant stands 2 times in the input",
        quarantine="a variant that stands on an earlier line too",
    ),
    Fault("VCF", "a sample twice", _vcf(vcf(*good(5), people=["Ann", "Ann"])), "sample ids that occur more than once: columns 10 and 11"),
    Fault(
        "VCF",
        "people of another file, too",
        _vcf(vcf(*good(5)), vcf(*good(6), people=["Bob", "Cyd"])),
        "has 1 of its people, of columns 10",
    ),
    Fault(
        "VCF",
        "contigs 22 and chr22, by the headers",
        _vcf(vcf(*good(5)), vcf(good(6)[0].replace("22", "chr22"), contig="##contig=<ID=chr22>")),
        "contigs are named as chr22, in",
    ),
    Fault(
        "VCF",
        "contigs 22 and chr22, by the records",
        _vcf(vcf(*good(5), good(6)[0].replace("22", "chr22"))),
        "records are on chr22, and on 22 in the same file",
    ),
    Fault(
        "VCF",
        "other lengths of a contig",
        _vcf(vcf(*good(5)), vcf(*good(6), contig="##contig=<ID=22,length=50818468>")),
        "22 has 50818468 bp, in",
    ),
    Fault(
        "VCF",
        "a position beyond its contig",
        _vcf(vcf(*good(51304568))),
        "a record lies at 22:51304568, but the header says that 22 has 51304566 bp",
    ),
    Fault("VCF", "no line of column names", _vcf("##fileformat=VCFv4.2\n" + good(5)[0] + "\n"), "line 2: the #CHROM line is missing"),
    Fault("VCF", "another kind of file", _vcf("sampleId\tdisease\nAnn\t1\n"), "line 1: not a VCF 4.x file"),
    Fault("VCF", "an empty file", _vcf(""), "the file is empty"),
    Fault("VCF", "a folder", lambda f: ["ingest-vcf", "--input", write(f / "d", "x", "").parent], "is a folder"),
    Fault("VCF", "a link that leads nowhere", _dangling, "cannot be opened (No such file or directory)"),
    Fault("VCF", "no such file", lambda f: ["ingest-vcf", "--input", f / "nowhere.vcf"], "nowhere.vcf: no such file"),
]
TABLES = [
    Fault(
        "expression (TSV)",
        "too few columns",
        _table("ingest-expression", "e.tsv", _TSV.format("Bob\t5")),
        "line 3: 2 columns where 3 are expected",
        quarantine="another number of columns than the first line",
    ),
    Fault(
        "expression (TSV)",
        "text among numbers",
        _table("ingest-expression", "e.tsv", _TSV.format("Bob\t5\thigh")),
        "line 3, column G2: 'high' is not a finite number",
        quarantine="not a finite number",
    ),
    Fault(
        "expression (TSV)",
        "a person twice",
        _table("ingest-expression", "e.tsv", _TSV.format("Ann\t5\t6")),
        "line 3: the same sampleId and cellType and state as on an earlier line",
        quarantine="the same sampleId and cellType and state as on an earlier line",
    ),
    Fault(
        "expression (TSV)",
        "no person",
        _table("ingest-expression", "e.tsv", _TSV.format("NA\t5\t6")),
        "line 3: no sampleId",
        quarantine="no sampleId",
    ),
    Fault(
        "expression (TSV)",
        "a gene twice",
        _table("ingest-expression", "e.tsv", "sampleId\tG1\tG1\nAnn\t1\t2\n"),
        "line 1: columns 2 and 3 have the same name",
    ),
    Fault(
        "expression (BED)",
        "a gene twice",
        _table("ingest-expression", "e.bed", _BED.format("22\t1\t2\tG1\t1\t2")),
        "line 3: the same gene as on an earlier line",
        quarantine="the same gene as on an earlier line",
    ),
    Fault(
        "expression (BED)",
        "text among numbers",
        _table("ingest-expression", "e.bed", _BED.format("22\t1\t2\tG2\t1\thigh")),
        "line 3, column 6: 'high' is not a finite number",
        quarantine="not a finite number",
    ),
    Fault(
        "expression (CSV)",
        "too few columns",
        _table("ingest-expression", "e.csv", _TSV.replace("\t", ",").format('"Bo\nb",5')),
        "line 3: 2 columns where 3 are expected",
        quarantine="another number of columns than the first line",
    ),
    Fault(
        "expression (CSV)",
        "a quote inside a field",
        _table("ingest-expression", "e.csv", _TSV.replace("\t", ",").format('Bob,5"6,7')),
        "line 3: a quote inside a field",
    ),
    Fault(
        "expression (CSV)",
        "a quote that is not closed",
        _table("ingest-expression", "e.csv", _TSV.replace("\t", ",").format('Bob,5,"7')),
        "line 3: a quote is not closed",
    ),
    Fault(
        "expression (GCT)",
        "text among numbers",
        _table("ingest-expression", "e.gct", _GCT.format("G2\tx\t1\thigh")),
        "line 5, column 4: 'high' is not a finite number",
        quarantine="not a finite number",
    ),
    Fault(
        "expression (GCT)",
        "a gene twice",
        _table("ingest-expression", "e.gct", _GCT.format("G1\tx\t1\t2")),
        "line 5: the same Name as on an earlier line",
        quarantine="the same Name as on an earlier line",
    ),
    Fault(
        "expression (GCT)",
        "fewer genes than it says",
        _table("ingest-expression", "e.gct", _GCT.replace("2\t2\n", "3\t2\n").format("G2\tx\t1\t2")),
        "line 2: says 3 genes, but the file has 2",
    ),
    Fault(
        "sample sheet",
        "a sample that it lacks",
        lambda f: ["ingest-expression", *_inputs([write(f, "e.bed", _BED.format("")), f"samples={write(f, 's.tsv', _SHEET)}"])],
        "e.bed: column 6: its sample is not in the sample sheet",
    ),
    Fault(
        "sample sheet",
        "a sample of no file",
        lambda f: [
            "ingest-expression",
            *_inputs([write(f, "e.tsv", _TSV.format("Bob\t2\t3")), f"samples={write(f, 's.tsv', _SHEET + _MORE)}"]),
        ],
        "s.tsv: line 5: no input file has a value of the sample",
    ),
    Fault(
        "expression (h5ad)",
        "cut short, or another kind of file",
        _table("ingest-expression", "e.h5ad", "\x89HDF"),
        "cannot be read as h5ad",
    ),
    Fault(
        "phenotypes",
        "text among labels",
        _table("ingest-phenotypes", "p.tsv", _LABELS.format("Cid\tyes")),
        "line 4, column disease: 'yes' is not a finite number",
        quarantine="not a finite number",
    ),
    Fault(
        "phenotypes",
        "a label that is not 0, 1 or NA",
        _table("ingest-phenotypes", "p.tsv", _LABELS.format("Cid\t2")),
        "line 4, column disease: 2 is not 0, 1 or NA",
        quarantine="not 0, 1 or NA",
    ),
    Fault(
        "phenotypes",
        "a person twice",
        _table("ingest-phenotypes", "p.tsv", _LABELS.format("Ann\t1")),
        "line 4: the same sampleId as on an earlier line",
        quarantine="the same sampleId as on an earlier line",
    ),
    Fault(
        "phenotypes",
        "a constant disease",
        _table("ingest-phenotypes", "p.tsv", _LABELS.replace("Bob\t1", "Bob\t0").format("Cid\tNA")),
        "disease has no cases or no controls",
    ),
    Fault("phenotypes", "an empty file", _table("ingest-phenotypes", "p.tsv", ""), "is empty"),
    Fault("phenotypes", "a header and no rows", _table("ingest-phenotypes", "p.tsv", "sampleId\tdisease\n"), "has a header and no rows"),
    Fault(
        "phenotypes",
        "no column of people",
        _table("ingest-phenotypes", "p.tsv", "gene\tAnn\tBob\nG1\t0\t1\n"),
        "line 1: no column sampleId; found 3, of which the first is gene",
    ),
    Fault(
        "covariates",
        "text among numbers",
        _with_labels("covariates", "sampleId\tage\nAnn\told\nBob\t3\n"),
        "line 2, column age: 'old' is not a finite number",
        quarantine="not a finite number",
    ),
    Fault(
        "pedigree",
        "a person twice",
        _with_labels("pedigree", "f\tAnn\t0\t0\t1\nf\tAnn\t0\t0\t2\n"),
        "line 2: the same sampleId as on an earlier line",
        quarantine="the same sampleId as on an earlier line",
    ),
    Fault("pedigree", "too few columns", _with_labels("pedigree", "f\tAnn\t0\n"), "3 columns where a pedigree has at least 5"),
    Fault(
        "genes (GTF, GFF3)",
        "too few columns",
        _table("ingest-genes", "g.gtf", GENE.format(5, "G1") + "22\tx\tgene\n"),
        "line 2: 3 columns where 9 are expected",
        quarantine="another number of columns than nine",
    ),
    Fault(
        "genes (GTF, GFF3)",
        "no interval",
        _table("ingest-genes", "g.gtf", GENE.format(5, "G1") + GENE.format("five", "G2")),
        "line 2: five to 90 is no interval",
        quarantine="start to end is no interval",
    ),
    Fault(
        "genes (GTF, GFF3)",
        "no gene",
        _table("ingest-genes", "g.gtf", GENE.format(5, "G1") + GENE.format(5, "")),
        "line 2: no gene_id among the attributes",
        quarantine="no gene_id among the attributes",
    ),
    Fault(
        "genes (GTF, GFF3)",
        "a gene twice",
        _table("ingest-genes", "g.gtf", GENE.format(5, "G1") + GENE.format(6, "G1")),
        "line 2: gene G1 stands more than once",
        quarantine="a gene that stands on an earlier line too",
    ),
    Fault("genes (GTF, GFF3)", "an empty file", _table("ingest-genes", "g.gtf", ""), "cannot be read (Empty CSV file)"),
    Fault(
        "terms of genes",
        "a line without a gene",
        _with_genes("terms", "geneId\ttermId\nG1\tT1\nNA\tT2\n"),
        "line 3: no geneId",
        quarantine="no geneId",
    ),
    Fault(
        "terms of genes",
        "a gene with a term and without one",
        _with_genes("terms", "geneId\ttermId\nG1\tT1\nG1\tNA\n"),
        "line 3: G1 has no term here and has one on another line",
        quarantine="a gene without a term here that has one on another line",
    ),
    Fault(
        "terms of genes",
        "genes of another annotation",
        _with_genes("terms", "geneId\ttermId\nX1\tT1\n"),
        "the annotation has none of its genes with terms",
    ),
    Fault("regulators", "genes of another annotation", _with_genes("regulators", "X1\n"), "the annotation has none of its regulators"),
]
READS = [
    Fault("reads (BAM)", "cut short", _reads(lambda f: cut(bam(f), 40)), "the file is truncated"),
    Fault("reads (BAM)", "an empty file", _reads(lambda f: write(f, "a.bam", "")), "neither a BAM nor a CRAM file"),
    Fault("reads (BAM)", "no index", _reads(_unindexed), "no index (a.bam.bai or a.bam.csi) beside it"),
    Fault("reads (BAM)", "the index of another or an earlier file", _reads(_stale(".bai")), "a.bam.bai: not the index of this BAM"),
    Fault(
        "reads (BAM)",
        "not sorted, by the header",
        _reads(lambda f: bam(f, order="queryname")),
        "not sorted by coordinate (the header says SO:queryname)",
    ),
    Fault("reads (BAM)", "not sorted, whatever the header says", _reads(_unsorted), "not sorted by coordinate, whatever the header says"),
    Fault("reads (BAM)", "reads of two people", _reads(_two_people), "reads of 2 samples"),
    Fault(
        "reads (BAM)",
        "two files of a person",
        lambda f: ["ingest-reads", *_inputs([bam(f, "a.bam"), bam(f, "b.bam")]), "--set", f"reference={fasta(f)}"],
        "b.bam: reads of the same person as",
    ),
    Fault("reads (sample sheet)", "an empty file", _sheet(""), "s.tsv: is empty"),
    Fault("reads (sample sheet)", "no column of paths", _sheet("sampleId\tfile\nAnn\ta.bam\n"), "s.tsv: line 1: no column path"),
    Fault(
        "reads (sample sheet)", "a file that is not there", _sheet("sampleId\tpath\nAnn\tb.bam\n"), "line 2: no such file: {folder}/b.bam"
    ),
    Fault(
        "reads (sample sheet)",
        "a person twice",
        _sheet("sampleId\tpath\nAnn\ta.bam\nAnn\tb.bam\n"),
        "s.tsv: line 3: the same sampleId as on an earlier line",
    ),
    Fault(
        "reads (sample sheet)", "a file twice", _sheet("sampleId\tpath\nAnn\ta.bam\nBob\t./a.bam\n"), "line 3: the same file as on line 2"
    ),
    Fault("reads (CRAM)", "cut short", _reads(lambda f: cut(cram(f), 40)), "the block that ends a CRAM is absent"),
    Fault("reads (CRAM)", "no index", _reads(lambda f: cram(f, index=False)), "no index (a.cram.crai) beside it"),
    Fault(
        "reads (CRAM)",
        "made with another reference",
        _reads(cram, lambda f: fasta(f, bases=REFERENCE.translate(str.maketrans("ACGT", "CATG")))),
        "cannot be decoded: the file is damaged, or of another reference",
        slow=True,
    ),
    Fault(
        "reference (FASTA)",
        "contigs chr22 for 22",
        _reads(bam, lambda f: fasta(f, contig="chr22")),
        "1 contigs are not in {folder}/reference.fa: 22 (they differ by the prefix chr)",
    ),
    Fault(
        "reference (FASTA)",
        "another length of a contig",
        _reads(bam, lambda f: fasta(f, bases=REFERENCE[:-8])),
        "1 contigs have another length in {folder}/reference.fa: 22 (2000 and 1992 bp)",
    ),
    Fault(
        "reference (FASTA)",
        "other bases",
        _reads(bam, lambda f: fasta(f, bases=REFERENCE.translate(str.maketrans("ACGT", "CATG")))),
        "only 0% of the reads' bases are those of",
        slow=True,
    ),
    Fault(
        "reference (FASTA)",
        "the index of another or an earlier file",
        _reads(bam, _stale_fai),
        "reference.fa.fai: not the index of this FASTA",
    ),
    Fault("known sites (VCF)", "no index", lambda f: _known(f, "22", index=False), "no index (k.vcf.gz.tbi or .csi) beside it"),
    Fault(
        "known sites (VCF)",
        "contigs chr22 for 22",
        lambda f: _known(f, "chr22"),
        "no contig of the reference has a site in it; its first is chr22 (they differ by the prefix chr)",
    ),
    Fault(
        "regions (BED)",
        "a line without positions",
        lambda f: [*_reads(bam)(f), "--set", f"regions={write(f, 'r.bed', '22 x y')}"],
        "line 1: not contig, start and end",
    ),
    Fault(
        "regions (BED)", "no regions", lambda f: [*_reads(bam)(f), "--set", f"regions={write(f, 'r.bed', '')}"], "r.bed: names no region"
    ),
    Fault(
        "regions (BED)",
        "a region beyond its contig",
        lambda f: [*_reads(bam)(f), "--set", f"regions={write(f, 'r.bed', '22 1990 2001')}"],
        "22:1990-2001 (0-based, half-open) is not within the 2000 bp of the contig",
    ),
    Fault(
        "regions (BED)",
        "an empty region",
        lambda f: [*_reads(bam)(f), "--set", f"regions={write(f, 'r.bed', '22 90 90')}"],
        "22:90-90 (0-based, half-open) is not within the 2000 bp of the contig",
    ),
]
OTHERS = [
    Fault("configuration", "an unknown key", lambda f: ["ingest-vcf", "--set", "split_byte=9"], "there is no setting split_byte", 2),
    Fault("configuration", "a share above 1", lambda f: ["ingest-vcf", "--max-bad", "2"], "setting max_bad", 2),
    Fault("model", "no such bundle", lambda f: ["score", "risk", "--set", f"bundle={f}/risk-0"], "no bundle there (model.json is missing)"),
    Fault("model", "none was trained here", lambda f: ["score", "risk"], "no bundle was trained for risk here", 4),
]


def _scoring(line: str, kind: str = "beta") -> Callable[[Path], list[object]]:
    return _table("ingest-pgs", "s.txt", _SCORE.format(kind, line))


SCORES = [
    Fault(
        "scoring file",
        "text for a weight",
        _scoring("22\t7\tA\tG\thigh"),
        "s.txt: line 6, column effect_weight: 'high' is not a finite number",
        quarantine="not a finite number",
    ),
    Fault(
        "scoring file", "no weight", _scoring("22\t7\tA\tG\t"), "line 6, column effect_weight: 'NA' is no weight", quarantine="no weight"
    ),
    Fault(
        "scoring file",
        "an odds ratio below 0",
        _scoring("22\t7\tA\tG\t-0.2", "OR"),
        "line 6, column effect_weight: '-0.2' is no OR above 0",
        quarantine="no OR above 0",
    ),
    Fault(
        "scoring file",
        "an allele of other letters",
        _scoring("22\t7\tDEL\tG\t1"),
        "line 6, column effect_allele: 'DEL' is not made of the letters A, C, G and T",
        quarantine="not made of the letters A, C, G and T",
    ),
    Fault(
        "scoring file",
        "a bad position",
        _scoring("22\t0\tA\tG\t1"),
        "line 6, column chr_position: 0 is not a positive integer",
        quarantine="not a positive integer",
    ),
    Fault(
        "scoring file",
        "too few columns",
        _scoring("22\t7\tA\tG"),
        "line 6: 4 columns where 5 are expected",
        quarantine="another number of columns than the first line",
    ),
    Fault(
        "scoring file",
        "a weight twice",
        _scoring("22\t5\tA\tC\t1"),
        "line 6: the same place and alleles as on an earlier line",
        quarantine="the same place and alleles as on an earlier line",
    ),
    Fault(
        "scoring file",
        "a weight that is not additive",
        _table(
            "ingest-pgs",
            "s.txt",
            _SCORE.format("beta", "22\t7\tA\tG\t1\tTrue").replace("weight\n", "weight\tis_recessive\n").replace("1.5", "1.5\tFalse"),
        ),
        "line 6, column is_recessive: 'True' is not additive",
        quarantine="not additive",
    ),
    Fault(
        "scoring file",
        "another format",
        _table("ingest-pgs", "s.txt", _SCORE.format("beta", "").replace("=2.0", "=1.0")),
        "not a scoring file of the PGS Catalog's format 2 (is of format 1.0)",
    ),
    Fault(
        "scoring file",
        "another kind of file",
        _table("ingest-pgs", "s.txt", "sampleId\tdisease\nAnn\t1\n"),
        "s.txt: not a scoring file of the PGS Catalog's format 2 (no line #format_version=2.0)",
    ),
    Fault(
        "scoring file",
        "no id of the score",
        _table("ingest-pgs", "s.txt", _SCORE.format("beta", "").replace("#pgs_id=PGS1\n", "")),
        "s.txt: no line #pgs_id=... in its header",
    ),
    Fault(
        "scoring file",
        "no positions",
        _table("ingest-pgs", "s.txt", _SCORE.format("beta", "").replace("chr_position", "rsID")),
        "s.txt: line 4: no column hm_pos or chr_position",
    ),
    Fault(
        "scoring file",
        "a score twice",
        lambda f: ["ingest-pgs", *_inputs(write(f, name, _SCORE.format("beta", "")) for name in ("s.txt", "t.txt"))],
        "t.txt: is PGS1, as {folder}/s.txt is",
    ),
    Fault("scoring file", "header alone", _table("ingest-pgs", "s.txt", "#format_version=2.0\n#pgs_id=PGS1\n"), "s.txt: line"),
    Fault("scoring file", "an empty file", _table("ingest-pgs", "s.txt", ""), "s.txt: is empty"),
]
FAULTS = [*VCF, *FORMATS, *TABLES, *SCORES, *READS, *OTHERS]

HEAD = """# Faults

What happens to input that is not as it should be. A fault ends a command with its message, a next step and the exit code, and nothing of
the run is published: what earlier runs published stays as it is. Ingest stages have two modes:

- `--mode strict`, the default: the first bad record ends the stage. Of a file that is read in pieces at the same time, the record shown
  need not be the first of the file.
- `--mode quarantine`: bad records are left out, and stand in the table `quarantine` with file, line, column and reason; `runs.notes` counts
  them by reason. Where more than `--max-bad` (0.001) of a file's records are bad, the stage ends with exit code 3. A file without faults
  gives the same tables in both modes.

A record is a line: of a VCF a site with all its alleles and everyone's genotypes (of BCF and BGEN, which have no lines, a site counted from
1; of PLINK's files a line of `.bim` or `.pvar`); of expression a person's row (TSV, CSV) or a gene's
(BED, GCT), which in CSV may be of several lines and is named by its first; of phenotypes, covariates and pedigree a person's row; of genes,
terms and scoring files a line. Of lines that repeat a person, a gene or a variant the first stays. What has no records that can be told
apart ends the
stage in both modes: damaged compression, BAM, h5ad, headers, sample sheets, quotes of CSV that do not fit, files that do not fit each
other.

Findings that touch no stored value are warnings, counted in `runs.notes`: lines of a VCF's header that are no text, no KEY=VALUE or a
contig without an ID; a contig named twice there, or not at all; INFO END before POS (the length of REF is used); gzip where bgzip could be;
alleles of PLINK's and BGEN files that are not of the letters A, C, G, T and N. So are genotypes of which not all is stored: those of more
than two alleles in a VCF or BCF, which are kept as missing; with `keep`, qualities above 254 and depths above 65534, which are kept as
these, and AD with another number of values than alleles, which is missing. The index of a VCF (`.tbi`, `.csi`) is read where `regions` are
chosen; else it may be old or wrong. Those of BCF (`.csi`) and BGEN (`.bgi`) are read and checked.

Messages, logs and `quarantine` show neither ids of people nor genotypes, and of a person's values only the text that cannot be read: of a
VCF the columns CHROM to FORMAT, of a table the column and its text.

This page is made from the cases of `tests/ingest/faults/fault_table.py`, which runs each of them.
"""
TAIL = """
Elsewhere:

| fault | message | exit code |
|---|---|---|
| the disk is full, or cannot be written | the machine refused: No space left on device | 7 |
| genotypes and phenotypes of different people | none of the people with labels is among those with genotypes | 4 |
| genotypes and expression of different people | nobody has both genotypes and expression | 4 |
| genes, or reads, on `22` and variants on `chr22` | no contig of `genes` is one of `variants` (they differ by the prefix chr) | 4 |
| a scoring file of another genome build | PGS1 is of GRCh38 and genotypes are of GRCh37 | 4 |
| a scoring file of which too few variants are there | 0 of 400 weights of PGS1 have a variant (0%), at least 75% are needed | 5 |
| a model of another genome build | 0 of the model's variants are there, at least 75% are needed (they differ by the prefix chr) | 5 |
"""


def document() -> str:
    """The page, in Markdown."""
    lines = [HEAD]
    for kind, faults in groupby(FAULTS, key=lambda fault: fault.kind):
        lines += [f"## {kind[0].upper()}{kind[1:]}", "", "| fault | strict: message | exit code | quarantine |", "|---|---|---|---|"]
        for fault in faults:
            said = fault.says.replace("{folder}/", "").replace("|", "\\|")
            outcome = "the same" if fault.quarantine == ENDS else f"left out: {fault.quarantine}"
            lines.append(f"| {fault.fault} | {said} | {fault.code} | {outcome} |")
        lines.append("")
    return "\n".join(lines) + TAIL


if __name__ == "__main__":
    print(document(), end="")
