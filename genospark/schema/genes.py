"""Tables of what is known about genes: where they lie, what they are, what they do."""

from __future__ import annotations

from genospark.schema.dictionary import RUN_ID, Column, Table

GENES = Table(
    "genes",
    "one row per gene of the annotation",
    ("geneId",),
    (
        Column("geneId", "string", "gene, as named in the annotation (gene_id, its version included)"),
        Column("geneName", "string", "symbol", nullable=True),
        Column("biotype", "string", "protein_coding, lncRNA ... (gene_type or gene_biotype)", nullable=True),
        Column("contigName", "string", "contig, as written in the annotation or as the configuration renames it"),
        Column("start", "bigint", "first base, 0-based"),
        Column("end", "bigint", "end, exclusive"),
        Column("strand", "string", "+ or -", nullable=True),
        Column("isRegulator", "boolean", "listed among the regulators; null where no list was given", nullable=True),
        RUN_ID,
    ),
    stage="ingest-genes",
)

GENE_TERMS = Table(
    "geneTerms",
    "one row per gene and term of the annotation, one without a term per gene that was looked at and has none",
    ("geneId", "termId"),
    (
        Column("geneId", "string", "gene, as named in the input file; a gene without any row was not looked at"),
        Column("termId", "string", "function, process or other term; null where the gene was looked at and has none", nullable=True),
        RUN_ID,
    ),
    stage="ingest-genes",
)
