"""spark-submit entry point of the stage ``ingest-phenotypes``; options as in ``genospark ingest-phenotypes --help``."""

import sys

from genospark.cli import main

if __name__ == "__main__":
    sys.exit(main(["ingest-phenotypes", *sys.argv[1:]]))
