"""The small cohort that tests share: what it is made of, and where its parts are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
    "train expression": {"epochs": 2, "network": {"hidden": [8]}},
    "build-features risk": {"variants": 100, "expression": 30},
    "train risk": {"epochs": 3, "network": {"hidden": [8]}},
    "build-features variants": {"locus_bp": 8000},
    "train variants": {"epochs": 2, "network": {"units": 4}},
    "build-features function": {"components": 8, "min_genes": 1, "fractions": (0.5, 0.25, 0.25), "seed": 4},
    "train function": {"epochs": 3, "network": {"hidden": [8]}},
    "infer-network": {"own": {"steps": 100}, "forest": {"trees": 10}},
}


def small_config(warehouse: Path | str) -> PipelineConfig:
    config = demo_config(str(warehouse))
    return config.model_copy(update={"stages": {name: (settings or {}) | SMALL.get(name, {}) for name, settings in config.stages.items()}})


@dataclass(frozen=True)
class Cohort:
    """A cohort that went through every stage."""

    path: Path
    warehouse: Warehouse
    config: PipelineConfig

    @property
    def files(self) -> Path:
        return self.path / "input"

    @property
    def bundle(self) -> Path:
        return self.path / "bundles" / last_version(self.warehouse, "risk")
