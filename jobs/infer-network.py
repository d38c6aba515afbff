"""spark-submit entry point of the stage ``infer-network``; options as in ``genospark infer-network --help``."""

import sys

from genospark.cli import main

if __name__ == "__main__":
    sys.exit(main(["infer-network", *sys.argv[1:]]))
