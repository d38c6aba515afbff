"""spark-submit entry point of the stage ``train``; options as in ``genospark train --help``."""

import sys

from genospark.cli import main

if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:]]))
