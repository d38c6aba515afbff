"""spark-submit entry point of the stage ``simulate``; options as in ``genospark simulate --help``."""

import sys

from genospark.cli import main

if __name__ == "__main__":
    sys.exit(main(["simulate", *sys.argv[1:]]))
