"""Tables of the association of variants with phenotypes."""

from __future__ import annotations

from genospark.schema.dictionary import LOCUS, RUN_ID, SAMPLE_ID, Column, Table

ASSOCIATIONS = Table(
    "associations",
    "one row per variant and phenotype that was tested",
    ("contigName", "start", "referenceAllele", "alternateAlleles", "phenotype"),
    (
        *LOCUS,
        Column("phenotype", "string", "disease of `phenotypes`, or trait of `traits`"),
        Column("method", "string", "linear, logistic, firth or score: the regression, or test, that the row has the results of"),
        Column("nPeople", "int", "people with the phenotype, all covariates and the call"),
        Column("alleleFrequency", "double", "of the alternate allele among them; null without calls", nullable=True),
        Column(
            "beta",
            "double",
            "with each copy of the alternate allele: change of the trait, or of the log odds of the disease",
            nullable=True,
        ),
        Column("standardError", "double", "of beta", nullable=True),
        Column("statistic", "double", "beta / standardError: Student's t of linear regression, else z", nullable=True),
        Column("pValue", "double", "two-sided", nullable=True),
        Column(
            "reason",
            "string",
            "why there is no result: constantGenotype, tooFewPeople, collinear (with covariates), separation, notConverged",
            nullable=True,
        ),
        RUN_ID,
    ),
    partitions=("contigName",),
    stage="gwas",
)

WGR_OFFSETS = Table(
    "wgrOffsets",
    "one row per person, contig and phenotype that was tested with offsets",
    ("sampleId", "contigName", "phenotype"),
    (
        SAMPLE_ID,
        Column("contigName", "string", "contig whose variants are tested with it, and whose variants it was predicted without"),
        Column("phenotype", "string", "phenotype"),
        Column(
            "offsetValue",
            "double",
            "prediction by whole-genome ridge regression, less what covariates say: standard deviations of a trait, log odds of a disease",
        ),
        RUN_ID,
    ),
    stage="gwas",
)
