"""What was made from what, by the table ``runs``."""

from __future__ import annotations

from genospark.core.ledger import Ledger
from genospark.core.storage import Warehouse


def made_from(warehouse: Warehouse, parts: set[str]) -> dict[str, list[str]]:
    """Runs that read the present content of some tables, or what was made of it.

    Args:
        warehouse: Warehouse.
        parts: Tables, or parts of them.

    Returns:
        `runs` (stage and id of each), `bundles` (versions of models) and `tables` (what these runs wrote), sorted.
    """
    found = {run["runId"] for part in parts if (run := warehouse.producer(part)) is not None}
    made: dict[str, dict[str, object]] = {}
    for run in Ledger(warehouse.path).runs():
        # Inputs that are tables are known by the run that wrote them.
        if any(entry["sha256"].rpartition(":")[2] in found for entry in run["inputs"]):
            found.add(run["runId"])
            made[run["runId"]] = run
    tables = sorted({output["table"] for run in made.values() for output in run["outputs"]})  # type: ignore[attr-defined]
    bundles: set[str] = set()
    if warehouse.has("metrics") and made:
        metrics = warehouse.read("metrics").select("runId", "modelVersion").distinct().collect()
        bundles = {row["modelVersion"] for row in metrics if row["runId"] in made}
    return {"runs": sorted(f"{run['stage']} {run_id}" for run_id, run in made.items()), "bundles": sorted(bundles), "tables": tables}
