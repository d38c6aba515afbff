"""``export`` of a risk model's linear part: a scoring file in the format of the PGS Catalog for each disease."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import numpy as np
import pandas as pd

from genospark import __version__
from genospark.core import paths
from genospark.core.progress import log
from genospark.core.storage import Warehouse
from genospark.errors import TableError
from genospark.tasks.bundles import chosen
from genospark.tasks.risk import TASK, RiskModel

_COLUMNS = ["chr_name", "chr_position", "effect_allele", "other_allele", "effect_weight", "allelefrequency_effect"]


def export_pgs(warehouse: Warehouse, out: Path, bundle: str | None) -> list[Path]:
    """Writes ``<disease>.txt.gz``: what each copy of an alternate allele adds to the logarithm of the odds, by the L1 logistic regression.

    ``plink2 --score`` of it differs from the regression's logit by what is the same in everyone: the intercept and the means, and by
    expression and covariates.

    Args:
        warehouse: Where the bundle was trained, and whose genome build is told.
        out: Folder.
        bundle: Folder of the bundle; the one trained last where not given.

    Returns:
        The files.

    Raises:
        InputError: The bundle is not there or damaged.
        TableError: It has no variant with a weight.
    """
    found = chosen(warehouse, TASK, bundle)
    model = RiskModel.of(found)
    committed = warehouse.committed()
    builds = {committed[part]["referenceBuild"] for part in warehouse.parts("genotypes")} - {None}
    build = builds.pop() if len(builds) == 1 else "NR"
    files = []
    with paths.local_folder(out) as folder:
        for task, disease in enumerate(model.spec.diseases):
            rows = _weights(model, task)
            if rows.empty:
                log.warning("export: %s has no variant with a weight, so no file is written for it", disease)
                continue
            if model.diseases[task].network_share:
                log.warning("export: the shipped model of %s is not linear alone; the file has the logistic regression's part", disease)
            name = re.sub(r"[^A-Za-z0-9._-]", "_", disease)
            path = folder / f"{name}.txt.gz"
            path.write_bytes(gzip.compress((_header(found.version, name, disease, build, len(rows)) + _text(rows)).encode(), mtime=0))
            files.append(out / path.name)
    if not files:
        raise TableError(f"{found.version}: no variant has a weight", "train on more people, or with weaker logistic_penalties")
    log.info("export: %d scoring files in %s", len(files), out)
    return files


def _weights(model: RiskModel, task: int) -> pd.DataFrame:
    n = len(model.spec.variants)
    means, deviations = model.spec.variant_scale()
    frame = pd.DataFrame(
        {
            "chr_name": [variant.contig_name for variant in model.spec.variants],
            "chr_position": [variant.start + 1 for variant in model.spec.variants],
            "effect_allele": [variant.alternate_allele for variant in model.spec.variants],
            "other_allele": [variant.reference_allele for variant in model.spec.variants],
            "effect_weight": model.coefficients[:n, task] / deviations.astype(float),
            "allelefrequency_effect": np.round(means.astype(float) / 2, 6),
        }
    )
    return frame[frame["effect_weight"] != 0]


def _header(version: str, name: str, disease: str, build: str, n_variants: int) -> str:
    lines = [
        "###PGS CATALOG SCORING FILE - see https://www.pgscatalog.org/downloads/#dl_ftp_scoring for additional information",
        "#format_version=2.0",
        "##POLYGENIC SCORE (PGS) INFORMATION",
        f"#pgs_id={version}-{name}",
        f"#pgs_name={disease} by genospark {__version__}, L1 logistic regression",
        f"#trait_reported={disease}",
        f"#genome_build={build}",
        f"#variants_number={n_variants}",
        "#weight_type=log(OR)",
    ]
    return "\n".join(lines) + "\n"


def _text(rows: pd.DataFrame) -> str:
    text: str = rows[_COLUMNS].to_csv(sep="\t", index=False)
    return text
