"""Gene functions: who is scored, that wider terms are never less likely, and what is refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support import Cohort

from genospark.core.storage import Warehouse
from genospark.errors import TableError
from genospark.features.function import BuildFunctionFeaturesConfig, build_features
from genospark.scoring.function import ScoreFunctionConfig, score


def test_every_gene_has_a_probability_of_every_term(cohort: Cohort) -> None:
    scores: pd.DataFrame = cohort.warehouse.read("geneFunctions").toPandas()
    examples = cohort.warehouse.read("functionExamples").select("geneId", "split").toPandas()
    terms = cohort.warehouse.read("functionTerms").toPandas()
    assert len(scores) == len(examples) * len(terms)
    assert set(scores["geneId"]) == set(examples["geneId"])
    for column in ("probability", "networkProbability", "baselineScore"):
        assert scores[column].between(0, 1).all()
        wide = scores.pivot(index="geneId", columns="termId", values=column)
        for term, ancestors in zip(terms["termId"], terms["ancestors"], strict=True):
            for above in ancestors:
                assert (wide[above] >= wide[term] - 1e-12).all()
    assert any(len(above) for above in terms["ancestors"])
    unknown = set(examples.loc[examples["split"] == "unlabelled", "geneId"])
    assert set(scores.loc[scores["isAnnotated"].isna(), "geneId"]) == unknown
    annotated = scores[scores["isAnnotated"] == True]  # noqa: E712 null is neither
    pairs = cohort.warehouse.read("geneTerms").toPandas().dropna()
    assert set(zip(pairs["geneId"], pairs["termId"], strict=True)) <= set(zip(annotated["geneId"], annotated["termId"], strict=True)) | {
        (gene, term) for gene, term in zip(pairs["geneId"], pairs["termId"], strict=True) if term not in set(terms["termId"])
    }
    assert np.isfinite(scores["probability"]).all()


def test_genes_that_were_embedded_anew_are_refused(cohort: Cohort, tmp_path: Path) -> None:
    copy = tmp_path / "W"
    shutil.copytree(cohort.path, copy, ignore=shutil.ignore_patterns("input"))
    spark = cohort.warehouse.spark
    settings = (cohort.config.stages["build-features function"] or {}) | {"seed": 2}
    build_features(BuildFunctionFeaturesConfig(warehouse=str(copy), **settings), spark)
    assert Warehouse(spark, str(copy)).producer("functionExamples") is not None
    with pytest.raises(TableError, match="embedded anew"):
        score(ScoreFunctionConfig(warehouse=str(copy)), spark)
