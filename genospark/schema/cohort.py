"""Tables of what users bring about people: genotypes, expression, labels, covariates, families."""

from __future__ import annotations

from genospark.schema.dictionary import LOCUS, RUN_ID, SAMPLE_ID, Column, Table

VARIANTS = Table(
    "variants",
    "one row per biallelic variant (multi-allelic records are split as `bcftools norm -m-` does)",
    ("contigName", "start", "referenceAllele", "alternateAlleles"),
    (
        *LOCUS,
        Column("names", "array<string>", "identifiers (ID); empty where the VCF has a dot"),
        Column("qual", "double", "Phred-scaled quality (QUAL)", nullable=True),
        Column("filters", "array<string>", "FILTER entries; empty where the VCF has a dot"),
        Column("splitFromMultiAllelic", "boolean", "true where the record had more than one alternate allele"),
        Column("nCalled", "int", "people with a call"),
        Column("callRate", "double", "share of people with a call, 0 to 1; null without people", nullable=True),
        Column("alleleCount", "int", "copies of the alternate allele among the calls (AC)"),
        Column("nAllelesCalled", "int", "called alleles (AN)"),
        Column("alleleFrequency", "double", "alleleCount / nAllelesCalled (AF); null without calls", nullable=True),
        Column("nHet", "int", "diploid people with one copy of the alternate allele"),
        Column("nHomAlt", "int", "diploid people with two copies of the alternate allele"),
        Column("pValueHwe", "double", "exact Hardy-Weinberg p-value over diploid calls (Wigginton et al. 2005)", nullable=True),
        RUN_ID,
    ),
    partitions=("contigName",),
    stage="ingest-vcf",
)

GENOTYPES = Table(
    "genotypes",
    "one row per variant and block of 16,384 samples",
    ("contigName", "start", "referenceAllele", "alternateAlleles", "sampleBlock"),
    (
        *LOCUS,
        Column("sampleBlock", "int", "samples with sampleIndex in [16384 * sampleBlock, 16384 * (sampleBlock + 1))"),
        Column(
            "calls",
            "binary",
            "2 bits a sample, lowest bits first: copies of the alternate allele 0, 1, 2, or 3 for missing; padded with 3",
        ),
        Column(
            "haploid",
            "binary",
            "1 bit a sample, lowest first: calls of one allele, missing ones (`.`) included; null where there are none",
            nullable=True,
        ),
        Column(
            "dosage",
            "binary",
            "2 bytes a sample, low byte first: expected copies of the alternate allele in units of 1/16384, 65535 for missing; null where "
            "not kept",
            nullable=True,
        ),
        Column(
            "phase",
            "binary",
            "2 bits a sample, lowest first: 1 for a phased call, 3 for a phased one with the alternate allele first and another second "
            "(1|0), 0 for others; null where not kept",
            nullable=True,
        ),
        Column(
            "conditionalQuality",
            "binary",
            "1 byte a sample: Phred-scaled quality of the call (GQ), rounded; 254 for 254 and more, 255 for missing; null where not kept",
            nullable=True,
        ),
        Column(
            "depth",
            "binary",
            "2 bytes a sample, low byte first: reads at the site (DP); 65534 for 65534 and more, 65535 for missing; null where not kept",
            nullable=True,
        ),
        Column(
            "alleleDepths",
            "binary",
            "2 and 2 bytes a sample, low byte first: reads of the reference and of the alternate allele (AD), each as of `depth`; null "
            "where not kept",
            nullable=True,
        ),
        Column("nCalled", "int", "people of the block with a call"),
        Column("nHet", "int", "of them, diploid with one copy of the alternate allele"),
        Column("nHomAlt", "int", "of them, diploid with two copies of the alternate allele"),
        Column("nHaploid", "int", "of them, with a call of one allele"),
        Column("nHaploidAlt", "int", "of these, with the alternate allele"),
        RUN_ID,
    ),
    partitions=("contigName",),
    version=4,
    stage="ingest-vcf",
    parts="batch",
)

SAMPLES = Table(
    "samples",
    "one row per person with genotypes",
    ("sampleId",),
    (
        SAMPLE_ID,
        Column("sampleIndex", "int", "position of the person in `genotypes.calls`, counted over all blocks from 0; blocks may have gaps"),
        Column("batch", "string", "batch of input files that brought the person's genotypes"),
        RUN_ID,
    ),
    version=2,
    stage="ingest-vcf",
    parts="batch",
)

EXPRESSION = Table(
    "expression",
    "one row per person, gene, cell type and state that was measured",
    ("sampleId", "geneId", "cellType", "state"),
    (
        SAMPLE_ID,
        Column("geneId", "string", "gene, as named in the input file"),
        Column("cellType", "string", "cell type"),
        Column("state", "string", "cell state"),
        Column("expressionValue", "double", "raw value in the unit of `expressionUnit`"),
        Column("expressionUnit", "string", "TPM, RPKM, counts ..."),
        RUN_ID,
    ),
    version=2,
    stage="ingest-expression",
    parts="batch",
)

PHENOTYPES = Table(
    "phenotypes",
    "one row per person and disease with a known label",
    ("sampleId", "disease"),
    (
        SAMPLE_ID,
        Column("disease", "string", "disease (or other binary target)"),
        Column("label", "tinyint", "1 case, 0 control; people whose label is not known have no row"),
        RUN_ID,
    ),
    version=2,
    stage="ingest-phenotypes",
    parts="batch",
)

TRAITS = Table(
    "traits",
    "one row per person and quantitative trait with a known value",
    ("sampleId", "trait"),
    (
        SAMPLE_ID,
        Column("trait", "string", "trait, such as heightCm"),
        Column("traitValue", "double", "value; people whose value is not known have no row"),
        RUN_ID,
    ),
    stage="ingest-phenotypes",
    parts="batch",
)

COVARIATES = Table(
    "covariates",
    "one row per person and covariate with a known value",
    ("sampleId", "covariate"),
    (
        SAMPLE_ID,
        Column("covariate", "string", "covariate, such as ageYears"),
        Column("covariateValue", "double", "value; people whose value is not known have no row"),
        RUN_ID,
    ),
    version=2,
    stage="ingest-phenotypes",
    parts="batch",
)

PEDIGREE = Table(
    "pedigree",
    "one row per person of the pedigree file",
    ("sampleId",),
    (
        SAMPLE_ID,
        Column("familyId", "string", "family: its members never stand on two sides of a split"),
        Column("fatherId", "string", "father, where known", nullable=True),
        Column("motherId", "string", "mother, where known", nullable=True),
        Column("sex", "tinyint", "1 male, 2 female", nullable=True),
        RUN_ID,
    ),
    version=2,
    stage="ingest-phenotypes",
    parts="batch",
)

POPULATIONS = Table(
    "populations",
    "one row per person whose population is known",
    ("sampleId",),
    (
        SAMPLE_ID,
        Column("population", "string", "population, as named in the input file"),
        RUN_ID,
    ),
    stage="ingest-phenotypes",
    parts="batch",
)

SPLITS = Table(
    "splits",
    "one row per person whose side, or fold, is given",
    ("sampleId",),
    (
        SAMPLE_ID,
        Column("split", "string", "train, validation or test; or the name of a fold"),
        RUN_ID,
    ),
    stage="ingest-phenotypes",
    parts="batch",
)
