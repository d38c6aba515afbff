"""Whether tables, and a model, are of one genome build, as far as names of contigs tell."""

from __future__ import annotations

from collections.abc import Sequence

from genospark.core.builds import not_shared, prefix_hint
from genospark.core.storage import Warehouse
from genospark.errors import CoverageError, TableError
from genospark.models.spec import Variant

_STEP = "ingest files of one genome build: `bcftools annotate --rename-chrs` renames contigs, ingest-genes has strip_contig_prefix"


def contigs(warehouse: Warehouse, name: str) -> set[str]:
    """Contigs of a table's rows."""
    return {row[0] for row in warehouse.read(name).select("contigName").distinct().collect()}


def check_shared(warehouse: Warehouse, one: str, other: str) -> None:
    """Checks that two tables have a contig in common; without any, nothing of the one would be found in the other.

    Raises:
        TableError: They have none, and both have rows.
    """
    ours, theirs = contigs(warehouse, one), contigs(warehouse, other)
    if ours and theirs and not ours & theirs:
        raise TableError(f"{warehouse.path}: {not_shared(ours, theirs, f'`{one}`', f'`{other}`')}", _STEP)


def too_few(warehouse: Warehouse, variants: Sequence[Variant], found: int, least: float) -> CoverageError:
    """The error of a cohort that has too few of a model's variants.

    Args:
        warehouse: The cohort's.
        variants: The model's.
        found: How many of them the cohort has.
        least: Share that it must have.
    """
    total = len(variants)
    hint = prefix_hint({variant.contig_name for variant in variants}, contigs(warehouse, "variants"))
    return CoverageError(
        f"{warehouse.path}: {found} of the model's {total} variants are there ({found / total:.0%}), at least {least:.0%} are needed{hint}",
        "check genome build and contig names, impute the missing sites, or lower min_variant_coverage",
    )
