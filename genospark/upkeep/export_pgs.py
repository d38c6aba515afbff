"""``export`` of a risk model's linear part: a scoring file in the format of the PGS Catalog for each target, or class of one."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from genospark import __version__
from genospark.core import paths
from genospark.core.progress import log
from genospark.core.storage import Warehouse
from genospark.errors import TableError
from genospark.models.targets import Target, heads
from genospark.tasks.bundles import chosen
from genospark.tasks.risk import TASK
from genospark.tasks.risk_model import RiskModel, TargetModel


def export_pgs(warehouse: Warehouse, out: Path, bundle: str | None) -> list[Path]:
    """Writes ``<target>.txt.gz``: what each copy of an alternate allele adds to the log odds, or to a trait, by the regression.

    ``plink2 --score`` of it differs from what the regression says by what is the same in everyone, the intercept and the means, and by
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
        for target, shipped, head, name in _heads(model):
            rows = _weights(model, target, head)
            if rows.empty:
                log.warning("export: %s has no variant with a weight, so no file is written for it", name)
                continue
            if shipped.network_share:
                log.warning("export: the shipped model of %s is not linear alone; the file has the regression's part", name)
            word = re.sub(r"[^A-Za-z0-9._-]+", "_", name)
            path = folder / f"{word}.txt.gz"
            kind = "beta" if target.kind == "continuous" else "log(OR)"
            text = _header(f"{found.version}-{word}", name, build, kind, len(rows)) + rows.to_csv(sep="\t", index=False)
            path.write_bytes(gzip.compress(text.encode(), mtime=0))
            files.append(out / path.name)
    if not files:
        raise TableError(f"{found.version}: no variant has a weight", "train on more people")
    log.info("export: %d scoring files in %s", len(files), out)
    return files


def _heads(model: RiskModel) -> Iterator[tuple[Target, TargetModel, int, str]]:
    """Each target, how it is shipped, one of its outputs, and what that is called: the target, or a class of it."""
    for target, shipped, mine in zip(model.spec.targets, model.targets, heads(model.spec.targets), strict=True):
        names = [f"{target.name} {name}" for name in target.classes] if target.kind == "multiclass" else [target.name]
        for head, name in zip(range(mine.start, mine.stop), names, strict=True):
            yield target, shipped, head, name


def _weights(model: RiskModel, target: Target, head: int) -> pd.DataFrame:
    """Rows of a scoring file; a trait's are in its own unit."""
    variants = model.spec.variants.columns.to_pandas()
    means, deviations = model.spec.variant_scale()
    unit = target.standard_deviation if target.kind == "continuous" else 1.0
    frame = pd.DataFrame(
        {
            "chr_name": variants["contig_name"],
            "chr_position": variants["start"] + 1,
            "effect_allele": variants["alternate_allele"],
            "other_allele": variants["reference_allele"],
            "effect_weight": unit * model.coefficients[0, : len(variants), head].astype(float) / deviations.astype(float),
            "allelefrequency_effect": np.round(means.astype(float) / 2, 6),
        }
    )
    return frame[frame["effect_weight"] != 0]


def _header(pgs_id: str, name: str, build: str, kind: str, n_variants: int) -> str:
    lines = [
        "###PGS CATALOG SCORING FILE - see https://www.pgscatalog.org/downloads/#dl_ftp_scoring for additional information",
        "#format_version=2.0",
        "##POLYGENIC SCORE (PGS) INFORMATION",
        f"#pgs_id={pgs_id}",
        f"#pgs_name={name} by genospark {__version__}, penalised regression",
        f"#trait_reported={name}",
        f"#genome_build={build}",
        f"#variants_number={n_variants}",
        f"#weight_type={kind}",
    ]
    return "\n".join(lines) + "\n"
