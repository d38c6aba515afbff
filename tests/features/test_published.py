"""Published scores as features of the risk model: those of `pgsScores`, on the training people's scale."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from pyspark.sql import SparkSession
from support import Cohort

from genospark.core.storage import Warehouse
from genospark.errors import TableError
from genospark.features.risk import BuildRiskFeaturesConfig, build_features
from genospark.features.specification import from_tables
from genospark.ingest.pgs import IngestPgsConfig, ingest_pgs
from genospark.scoring.pgs import ScorePgsConfig, score

HEAD = "###PGS CATALOG SCORING FILE\n#format_version=2.0\n#pgs_id=PGS000777\n#trait_reported=x\n#genome_build=NR\n#weight_type=beta\n"


def test_a_published_score_is_a_feature(cohort: Cohort, spark: SparkSession, tmp_path: Path) -> None:
    warehouse = str(tmp_path / "w")
    shutil.copytree(cohort.path, warehouse, ignore=shutil.ignore_patterns("input", "bundles"))
    found = Warehouse(spark, warehouse)
    asked = {"warehouse": warehouse, "variants": 20, "expression": 0, "row_groups": 4, "published": ["PGS000777"]}
    # SNVs whose strand can be told.
    sites = found.read("variants").where("referenceAllele in ('A', 'C') and alternateAlleles[0] = 'G' or referenceAllele = 'G'")
    sites = sites.where("referenceAllele != 'C' and alternateAlleles[0] in ('A', 'G', 'T')").orderBy("contigName", "start").limit(12)
    rows = sites.select("contigName", "start", "referenceAllele", "alternateAlleles").toPandas()
    assert len(rows) == 12
    weights = np.linspace(-0.3, 0.5, 12)
    with (tmp_path / "score.txt").open("w") as file:
        file.write(HEAD + "chr_name\tchr_position\teffect_allele\tother_allele\teffect_weight\n")
        for row, weight in zip(rows.itertuples(), weights, strict=True):
            file.write(f"{row.contigName}\t{row.start + 1}\t{row.alternateAlleles[0]}\t{row.referenceAllele}\t{weight}\n")
    ingest_pgs(IngestPgsConfig(warehouse=warehouse, inputs=[str(tmp_path / "score.txt")]), spark)
    with pytest.raises(TableError, match="pgsScores"):
        build_features(BuildRiskFeaturesConfig.model_validate(asked), spark)
    score(ScorePgsConfig(warehouse=warehouse), spark)
    build_features(BuildRiskFeaturesConfig.model_validate(asked), spark)
    found = Warehouse(spark, warehouse)
    spec = from_tables(found)
    place = [covariate.name for covariate in spec.covariates].index("PGS000777") - len(spec.covariates)
    examples = found.read("riskExamples").toPandas().set_index("sampleId")
    values = np.stack([np.frombuffer(row, "<f4") for row in examples["measurements"]])[:, place]
    sums = found.read("pgsScores").toPandas().set_index("sampleId").loc[examples.index, "scoreSum"].to_numpy()
    training = (examples["split"] == "train").to_numpy()
    assert sums.std() > 0.1
    np.testing.assert_allclose(values, (sums - sums[training].mean()) / sums[training].std(), atol=1e-4)
