"""The stages by name. Importing this file imports none of them, so that the command line answers at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from genospark.errors import ConfigError


@dataclass(frozen=True)
class Stage:
    """A stage: where its function and its configuration are.

    Attributes:
        name: As on the command line and in ``jobs/``; stages of tasks have the task as a second word: ``train risk``.
        summary: One line for ``--help``.
        function: ``module:name`` of the function (configuration, Spark session) -> run id.
        config: Name of its configuration class in the same module.
        inputs: What ``--input`` takes; empty where it is not taken.
        needs_spark: Is handed a Spark session.
        options: Settings that have an option of their own, as it is written.
    """

    name: str
    summary: str
    function: str
    config: str
    inputs: str = ""
    needs_spark: bool = True
    options: tuple[str, ...] = ()

    @property
    def job(self) -> str:
        """The name without the task: the name of its command and of its file in ``jobs/``."""
        return self.name.partition(" ")[0]

    @property
    def task(self) -> str:
        """The task, or nothing."""
        return self.name.partition(" ")[2]

    @property
    def config_file(self) -> str:
        """Name of its file in ``conf/``."""
        return f"{self.name.replace(' ', '-')}.yaml"

    def load(self) -> tuple[Callable[..., str], Any]:
        """The function and its configuration class."""
        module, name = self.function.split(":")
        loaded = import_module(module)
        return getattr(loaded, name), getattr(loaded, self.config)


_FILES = "; repeatable, globs"
_NAMING = ("key-file", "crosswalk")
_BATCH = ("batch", "on-overlap", *_NAMING)

STAGES = {
    stage.name: stage
    for stage in (
        Stage(
            "simulate", "write a simulated cohort's files", "genospark.simulate.stage:simulate", "SimulateStageConfig", needs_spark=False
        ),
        Stage(
            "ingest-vcf",
            "VCF -> variants, genotypes, samples",
            "genospark.ingest.variants:ingest_vcf",
            "IngestVcfConfig",
            f"VCF file{_FILES}",
            options=_BATCH,
        ),
        Stage(
            "ingest-expression",
            "expression tables, single cells -> expression",
            "genospark.ingest.expression:ingest_expression",
            "IngestExpressionConfig",
            f"[ROLE=]FILE with ROLE expression (TSV, CSV, BED, GCT or h5ad, where none is given) or samples (a sheet){_FILES}",
            options=_BATCH,
        ),
        Stage(
            "ingest-phenotypes",
            "labels, traits, covariates, pedigree, populations, splits -> tables of these names",
            "genospark.ingest.phenotypes:ingest_phenotypes",
            "IngestPhenotypesConfig",
            f"[ROLE=]FILE with ROLE phenotypes (where none is given), traits, covariates, pedigree, populations or splits{_FILES}",
            options=_BATCH,
        ),
        Stage(
            "ingest-genes",
            "gene annotation, regulators, terms -> genes, geneTerms",
            "genospark.ingest.genes:ingest_genes",
            "IngestGenesConfig",
            f"[ROLE=]FILE with ROLE genes (GTF or GFF3, where none is given), terms or regulators{_FILES}",
        ),
        Stage(
            "ingest-reads",
            "aligned reads -> readWindows, readQuality, referenceContigs",
            "genospark.ingest.alignments:ingest_reads",
            "IngestReadsConfig",
            f"[ROLE=]FILE with ROLE reads (BAM or CRAM, where none is given) or samples (a sheet of people and files){_FILES}",
            options=_BATCH,
        ),
        Stage("qc variants", "variants -> variantQuality", "genospark.quality.variants:qc_variants", "QcVariantsConfig"),
        Stage("qc samples", "genotypes -> sampleQuality", "genospark.quality.samples:qc_samples", "QcSamplesConfig"),
        Stage("qc prune", "genotypes -> prunedVariants", "genospark.quality.prune:qc_prune", "QcPruneConfig"),
        Stage("qc kinship", "genotypes -> kinship", "genospark.quality.kinship:qc_kinship", "QcKinshipConfig"),
        Stage(
            "qc components",
            "genotypes -> principalComponents, componentVariances, componentLoadings",
            "genospark.quality.components:qc_components",
            "QcComponentsConfig",
        ),
        Stage("qc fst", "genotypes, populations -> populationFst", "genospark.quality.fst:qc_fst", "QcFstConfig"),
        Stage("gwas", "genotypes, phenotypes, traits, covariates -> associations", "genospark.association.gwas:gwas", "GwasConfig"),
        Stage(
            "build-features expression",
            "people -> expressionFeatures, expressionExamples",
            "genospark.features.expression:build_features",
            "BuildExpressionFeaturesConfig",
        ),
        Stage(
            "train expression", "expressionExamples -> a bundle and metrics", "genospark.training.expression:train", "TrainExpressionConfig"
        ),
        Stage(
            "score expression",
            "a bundle and people -> expressionPredictions",
            "genospark.scoring.expression:score",
            "ScoreExpressionConfig",
        ),
        Stage(
            "build-features risk",
            "people -> riskFeatures, riskTargets, riskExamples",
            "genospark.features.risk:build_features",
            "BuildRiskFeaturesConfig",
        ),
        Stage("train risk", "riskExamples -> a bundle and metrics", "genospark.training.risk:train", "TrainRiskConfig"),
        Stage(
            "build-features variants",
            "reads and genotypes -> variantExamples",
            "genospark.features.variants:build_features",
            "BuildVariantFeaturesConfig",
        ),
        Stage("train variants", "variantExamples -> a bundle and metrics", "genospark.training.variants:train", "TrainVariantsConfig"),
        Stage("score variants", "a bundle and reads -> variantCalls, VCF", "genospark.scoring.variants:score", "ScoreVariantsConfig"),
        Stage("score risk", "a bundle and people -> riskScores", "genospark.scoring.risk:score", "ScoreRiskConfig"),
        Stage(
            "build-features function",
            "genes -> functionFeatures, functionTerms, functionExamples",
            "genospark.features.function:build_features",
            "BuildFunctionFeaturesConfig",
        ),
        Stage("train function", "functionExamples -> a bundle and metrics", "genospark.training.function:train", "TrainFunctionConfig"),
        Stage("score function", "a bundle and genes -> geneFunctions", "genospark.scoring.function:score", "ScoreFunctionConfig"),
        Stage("infer-network", "expression -> regulatoryEdges", "genospark.insight.regulation:infer_network", "InferNetworkConfig"),
    )
}


FORMATS = {
    stage.name: stage
    for stage in (
        Stage(
            "ingest-plink",
            "PLINK files -> variants, genotypes, samples",
            "genospark.ingest.variants_plink:ingest_plink",
            "IngestPlinkConfig",
            f".bed or .pgen file, with its companions beside it{_FILES}",
            options=_BATCH,
        ),
        Stage(
            "ingest-bgen",
            "BGEN files -> variants, genotypes, samples",
            "genospark.ingest.variants_bgen:ingest_bgen",
            "IngestBgenConfig",
            f"BGEN file{_FILES}",
            options=_BATCH,
        ),
    )
}
"""Other doors to the tables of ``ingest-vcf``."""

STUDIES = {
    stage.name: stage
    for stage in (
        Stage(
            "ingest-pgs",
            "scoring files of the PGS Catalog -> pgsCatalog, pgsWeights",
            "genospark.ingest.pgs:ingest_pgs",
            "IngestPgsConfig",
            f"scoring file{_FILES}",
        ),
        Stage("score pgs", "published scores and people -> pgsScores", "genospark.scoring.pgs:score", "ScorePgsConfig"),
        Stage("tune risk", "riskExamples -> trials of settings of `train risk`", "genospark.training.tune_risk:tune", "TuneRiskConfig"),
        Stage(
            "evaluate risk",
            "people -> evaluations, by nested cross-validation",
            "genospark.training.evaluate_risk:evaluate",
            "EvaluateRiskConfig",
        ),
    )
}
"""Stages that the demo leaves out."""

UPKEEP = {
    stage.name: stage
    for stage in (
        Stage(
            "withdraw",
            "take people out of every table and its history",
            "genospark.upkeep.withdraw:withdraw",
            "WithdrawConfig",
            options=("samples", *_NAMING),
        ),
        Stage("compact", "put small batches and files together", "genospark.upkeep.compact:compact", "CompactConfig"),
        Stage(
            "export",
            "write tables as plain Parquet files, genotypes as VCF or PLINK files, or a risk model as scoring files",
            "genospark.upkeep.export:export",
            "ExportConfig",
            options=("out", "format", "crosswalk"),
        ),
        Stage("migrate", "bring tables of an older release up to date", "genospark.upkeep.migrate:migrate", "MigrateConfig"),
    )
}
"""What is done to a warehouse between the stages; also jobs."""

EVERYTHING = STAGES | FORMATS | STUDIES | UPKEEP
"""All that is a command and a job."""


def stage(name: str) -> Stage:
    """The stage, or the upkeep, of that name.

    Raises:
        ConfigError: There is none.
    """
    found = EVERYTHING.get(name)
    if found is None:
        raise ConfigError(f"no stage {name}", f"the stages are {', '.join(EVERYTHING)}")
    return found
