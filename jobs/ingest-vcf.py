"""spark-submit entry point of the stage ``ingest-vcf``; options as in ``genospark ingest-vcf --help``."""

import sys

from genospark.cli import main

if __name__ == "__main__":
    sys.exit(main(["ingest-vcf", *sys.argv[1:]]))
