"""spark-submit entry point of the stage ``ingest-pgs``; options as in ``genospark ingest-pgs --help``."""

import sys

from genospark.cli import main

if __name__ == "__main__":
    sys.exit(main(["ingest-pgs", *sys.argv[1:]]))
