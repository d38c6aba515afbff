"""spark-submit entry point of the stage ``ingest-reads``; options as in ``genospark ingest-reads --help``."""

import sys

from genospark.cli import main

if __name__ == "__main__":
    sys.exit(main(["ingest-reads", *sys.argv[1:]]))
