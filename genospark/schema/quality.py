"""Tables of the quality of a cohort: its variants, its people, and how both are related."""

from __future__ import annotations

from genospark.schema.dictionary import LOCUS, RUN_ID, SAMPLE_ID, Column, Table

_KEY = ("contigName", "start", "referenceAllele", "alternateAlleles")
_MEASURED = (
    Column("meanDepth", "double", "mean depth (DP) over the calls that have one; null where none is kept", nullable=True),
    Column("lowDepthShare", "double", "share of them with a depth below `low.depth`", nullable=True),
    Column("meanConditionalQuality", "double", "mean quality (GQ) over the calls that have one; null where none is kept", nullable=True),
    Column("lowConditionalQualityShare", "double", "share of them with a quality below `low.quality`", nullable=True),
)

VARIANT_QUALITY = Table(
    "variantQuality",
    "one row per variant",
    _KEY,
    (
        *LOCUS,
        Column("callRate", "double", "share of people with a call, 0 to 1; null without people", nullable=True),
        Column("alleleCount", "int", "copies of the alternate allele among the calls (AC)"),
        Column("nAllelesCalled", "int", "called alleles (AN)"),
        Column("alleleFrequency", "double", "alleleCount / nAllelesCalled (AF); null without calls", nullable=True),
        Column("pValueHwe", "double", "exact Hardy-Weinberg p-value over diploid calls", nullable=True),
        Column("founderAlleleFrequency", "double", "AF among founders: people neither of whose parents is known", nullable=True),
        Column("pValueHweFounders", "double", "exact Hardy-Weinberg p-value over founders, on X over those not male", nullable=True),
        Column("isSingleton", "boolean", "the alternate or the reference allele was seen once"),
        Column("substitution", "string", "transition or transversion; null for what is no substitution of one base", nullable=True),
        *_MEASURED,
        Column("reasons", "array<string>", "why it would be filtered: filters, callRate, alleleFrequency, alleleCount, hwe"),
        RUN_ID,
    ),
    partitions=("contigName",),
    version=2,
    stage="qc variants",
)

SAMPLE_QUALITY = Table(
    "sampleQuality",
    "one row per person with genotypes",
    ("sampleId",),
    (
        SAMPLE_ID,
        Column("callRate", "double", "share of variants, Y apart, with a call", nullable=True),
        Column("nCalled", "bigint", "autosomal variants with a call"),
        Column("nHet", "bigint", "of these, heterozygous"),
        Column("nHomAlt", "bigint", "of these, without the reference allele"),
        Column("hetHomRatio", "double", "nHet / nHomAlt", nullable=True),
        Column("nTransitions", "bigint", "autosomal transitions whose alternate allele the person has"),
        Column("nTransversions", "bigint", "the same of transversions"),
        Column("tiTvRatio", "double", "nTransitions / nTransversions", nullable=True),
        Column("nSingletons", "bigint", "autosomal alternate alleles that nobody else has, in one copy"),
        Column("expectedHet", "double", "heterozygous calls that Hardy-Weinberg proportions would have"),
        Column(
            "inbreeding",
            "double",
            "inbreeding coefficient F: 1 - observed / expected heterozygous calls, where founders vary",
            nullable=True,
        ),
        Column("inbreedingX", "double", "the same on X outside the pseudoautosomal regions: near 1 for men, 0 for women", nullable=True),
        Column("callRateY", "double", "share of Y's variants outside the pseudoautosomal regions with a call", nullable=True),
        Column("sex", "tinyint", "1 male, 2 female, as the pedigree says", nullable=True),
        Column("inferredSex", "tinyint", "1 male, 2 female, as X and Y say; null where they say nothing or contradict", nullable=True),
        *_MEASURED,
        Column("reasons", "array<string>", "why the person would be filtered: callRate, inbreeding, sex"),
        RUN_ID,
    ),
    version=2,
    stage="qc samples",
)

PRUNED_VARIANTS = Table(
    "prunedVariants",
    "one row per variant that was looked at",
    _KEY,
    (
        *LOCUS,
        Column("reason", "string", "why it goes: linked (with one that stays) or monomorphic; null where it stays", nullable=True),
        RUN_ID,
    ),
    partitions=("contigName",),
    stage="qc prune",
)

KINSHIP = Table(
    "kinship",
    "one row per pair of people with a kinship coefficient above a threshold",
    ("sampleId", "relativeId"),
    (
        SAMPLE_ID,
        Column("relativeId", "string", "the other person, who stands later in `samples`"),
        Column("nVariants", "bigint", "autosomal variants at which both have a call"),
        Column("hetHetShare", "double", "of them, both heterozygous"),
        Column("ibs0Share", "double", "of them, homozygous for different alleles"),
        Column("kinship", "double", "KING-robust kinship coefficient between families: 0.5 for twins, 0.25 for siblings"),
        Column("degree", "int", "of relation by KING's limits: 0 the same person or twins, 1, 2, 3; null for more distant", nullable=True),
        RUN_ID,
    ),
    stage="qc kinship",
)

PRINCIPAL_COMPONENTS = Table(
    "principalComponents",
    "one row per person and principal component of the genotypes",
    ("sampleId", "component"),
    (
        SAMPLE_ID,
        Column("component", "int", "place by eigenvalue, from 1"),
        Column("value", "double", "entry of the eigenvector, which has length 1 over everyone"),
        RUN_ID,
    ),
    stage="qc components",
)

COMPONENT_VARIANCES = Table(
    "componentVariances",
    "one row per principal component",
    ("component",),
    (
        Column("component", "int", "place by eigenvalue, from 1"),
        Column("eigenvalue", "double", "eigenvalue of the relationship matrix of standardised calls"),
        Column("varianceShare", "double", "its share of the sum of all eigenvalues"),
        RUN_ID,
    ),
    stage="qc components",
)

COMPONENT_LOADINGS = Table(
    "componentLoadings",
    "one row per variant that principal components were computed from",
    _KEY,
    (
        *LOCUS,
        Column("alleleFrequency", "double", "of the alternate allele among founders, which calls are standardised with"),
        Column(
            "loadings",
            "array<double>",
            "a number a component: (copies - 2 f) / sqrt(2 f (1 - f)) times these, summed over variants, is a person's value",
        ),
        RUN_ID,
    ),
    partitions=("contigName",),
    stage="qc components",
)

FST = Table(
    "populationFst",
    "one row per pair of populations",
    ("population", "otherPopulation"),
    (
        Column("population", "string", "population"),
        Column("otherPopulation", "string", "another, later in the alphabet"),
        Column("nPeople", "bigint", "people of the one with genotypes"),
        Column("nOtherPeople", "bigint", "people of the other"),
        Column("nVariants", "bigint", "autosomal variants that vary over both, with two called alleles or more in each"),
        Column("method", "string", "estimator: hudson, or wc (Weir and Cockerham's)"),
        Column("fst", "double", "Fst, a ratio of sums over variants", nullable=True),
        RUN_ID,
    ),
    version=2,
    stage="qc fst",
)
