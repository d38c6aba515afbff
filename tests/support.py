"""The small cohort that tests share: what it is made of, and where its parts are."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from genospark.core import crosswalk
from genospark.core.pseudonyms import read_key
from genospark.core.storage import Warehouse
from genospark.pipeline import PipelineConfig, demo_config
from genospark.tasks.bundles import last_version

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"

SMALL: dict[str, dict[str, Any]] = {
    "simulate": {
        "cohort": {
            "people": 240,
            "fresh_people": 60,
            "variants": 600,
            "genes": 20,
            "seed": 11,
            "contig_bases": 250_000,
            "reads": {"people": 5, "bases_per_contig": 80_000, "depth": 20, "systematic_errors": 0},
            "diseases": [{"name": "common", "prevalence": 0.4}, {"name": "rarer", "prevalence": 0.2}],
        }
    },
    "build-features expression": {"panel": 8},
    # Two ranks each train risk and the variant caller; starting more takes longer than all else of so small a cohort.
    "train expression": {"ranks": 1, "epochs": 2, "network": {"hidden": [8]}},
    "build-features risk": {"variants": 100, "expression": 30},
    "train risk": {"epochs": 3, "network": {"hidden": [8]}},
    "build-features variants": {"locus_bp": 8000},
    "train variants": {"epochs": 2, "network": {"units": 4}},
    "build-features function": {"components": 8, "min_genes": 1, "fractions": (0.5, 0.25, 0.25), "seed": 4},
    "train function": {"ranks": 1, "epochs": 3, "network": {"hidden": [8]}},
    "infer-network": {"own": {"steps": 100}, "forest": {"trees": 10}},
}


def small_config(warehouse: Path | str) -> PipelineConfig:
    """The demo's, smaller; people are named with the key of all tests."""
    stages = {name: (settings or {}) | SMALL.get(name, {}) for name, settings in demo_config(str(warehouse)).stages.items()}
    for settings in stages.values():
        settings.pop("key_file", None)
    return PipelineConfig(warehouse=str(warehouse), stages=stages)


def people(*ids: str) -> list[str]:
    """Their pseudonyms, under the key of all tests."""
    return read_key().of(ids)


@dataclass(frozen=True)
class Cohort:
    """A cohort that went through every stage."""

    path: Path
    warehouse: Warehouse
    config: PipelineConfig

    @property
    def files(self) -> Path:
        return self.path / "input"

    @cached_property
    def names(self) -> dict[str, str]:
        """Original id of each pseudonym."""
        return crosswalk.read(str(self.path / "crosswalk"))

    def table(self, name: str) -> pd.DataFrame:
        """A table's rows, people by their original ids."""
        rows = self.warehouse.read(name).toPandas()
        for column in {"sampleId", "familyId", "fatherId", "motherId"} & set(rows):
            rows[column] = rows[column].map(self.names)
        return rows

    @property
    def bundle(self) -> Path:
        return self.path / "bundles" / last_version(self.warehouse, "risk")
