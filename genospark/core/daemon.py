"""The process that Spark forks Python workers from, with less to do for every task than Spark's own: ``spark.python.daemon.module``.

Before a task Spark's workers read the directories of all archives that Python may import from, and after it they look for garbage among all
that they have imported. Here the libraries are imported before the fork and are not looked at again, and archives are left out that belong
to an installed PySpark.
"""

from __future__ import annotations

import gc
import sys
from importlib.machinery import PathFinder
from pathlib import Path


def without_archives(path: list[str]) -> list[str]:
    """Places to import from, without the archives of a PySpark that is found without them too."""
    own = [place for place in path if not place.endswith((".zip", ".jar"))]
    spec = PathFinder.find_spec("pyspark", own)
    if spec is None or spec.origin is None:
        return path
    package = Path(spec.origin).resolve().parent
    return [place for place in path if place in own or package not in Path(place).resolve().parents]


def main() -> None:
    """Waits for Spark to ask for workers."""
    sys.path[:] = without_archives(sys.path)
    sys.path_importer_cache.clear()
    import pandas  # noqa: F401
    import pyarrow.compute
    import pyarrow.parquet  # noqa: F401
    from pyspark import daemon

    gc.collect()
    gc.freeze()
    daemon.manager()  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    main()
