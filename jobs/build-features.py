"""spark-submit entry point of the stage ``build-features``; options as in ``genospark build-features --help``."""

import sys

from genospark.cli import main

if __name__ == "__main__":
    sys.exit(main(["build-features", *sys.argv[1:]]))
