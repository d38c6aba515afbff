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
        name: As on the command line, in ``conf/`` and in ``jobs/``.
        summary: One line for ``--help``.
        function: ``module:name`` of the function (configuration, Spark session) -> run id.
        config: Name of its configuration class in the same module.
        inputs: What ``--input`` takes; empty where it is not taken.
        needs_spark: Is handed a Spark session.
    """

    name: str
    summary: str
    function: str
    config: str
    inputs: str = ""
    needs_spark: bool = True

    def load(self) -> tuple[Callable[..., str], Any]:
        """The function and its configuration class."""
        module, name = self.function.split(":")
        loaded = import_module(module)
        return getattr(loaded, name), getattr(loaded, self.config)


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
            "VCF file; repeatable, globs",
        ),
        Stage(
            "ingest-expression",
            "expression tables -> expression",
            "genospark.ingest.expression:ingest_expression",
            "IngestExpressionConfig",
            "TSV or BED file; repeatable, globs",
        ),
        Stage(
            "ingest-phenotypes",
            "labels, covariates, pedigree -> phenotypes, covariates, pedigree",
            "genospark.ingest.phenotypes:ingest_phenotypes",
            "IngestPhenotypesConfig",
            "[ROLE=]FILE with ROLE phenotypes (where none is given), covariates or pedigree; repeatable, globs",
        ),
        Stage("build-features", "tables -> features, targets, examples", "genospark.features.build:build_features", "BuildFeaturesConfig"),
        Stage("train", "examples -> a bundle and metrics", "genospark.training.train:train", "TrainConfig"),
        Stage("score", "a bundle and tables -> riskScores", "genospark.scoring.score:score", "ScoreConfig"),
    )
}


def stage(name: str) -> Stage:
    """The stage of that name.

    Raises:
        ConfigError: There is none.
    """
    if name not in STAGES:
        raise ConfigError(f"no stage {name}", f"the stages are {', '.join(STAGES)}")
    return STAGES[name]
