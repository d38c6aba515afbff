"""spark-submit entry point of the stage ``export``; options as in ``genospark export --help``."""

import sys

from genospark.cli import main

if __name__ == "__main__":
    sys.exit(main(["export", *sys.argv[1:]]))
