"""The process that Spark forks Python workers from, with less to do for every task than Spark's own: ``spark.python.daemon.module``.

After each task Spark's workers look for garbage among all that they have imported, and read the directories of the archives of PySpark anew:
a quarter of a second together. Here the libraries are imported before the fork and are not looked at again, and an archive is left out where
the same PySpark is installed.
"""

from __future__ import annotations

import gc
import sys
from importlib.machinery import PathFinder
from pathlib import Path


def without_archives(path: list[str]) -> list[str]:
    """Places to import from, without the archives that are part of an installed PySpark."""
    rest = [place for place in path if not place.endswith(".zip")]
    spec = PathFinder.find_spec("pyspark", rest)
    if spec is None or spec.origin is None:
        return path
    archives = Path(spec.origin).parent / "python" / "lib"
    return [place for place in path if Path(place).parent != archives]


def main() -> None:
    """Waits for Spark to ask for workers."""
    sys.path[:] = without_archives(sys.path)
    import pandas  # noqa: F401
    import pyarrow.compute
    import pyarrow.parquet  # noqa: F401
    from pyspark import daemon

    gc.collect()
    gc.freeze()
    daemon.manager()


if __name__ == "__main__":
    main()
