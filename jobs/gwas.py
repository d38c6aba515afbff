"""spark-submit entry point of the stage ``gwas``; options as in ``genospark gwas --help``."""

import sys

from genospark.cli import main

if __name__ == "__main__":
    sys.exit(main(["gwas", *sys.argv[1:]]))
