"""Sites of a VCF that are known to vary: mismatches there say nothing of base qualities."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pysam

from genospark.core.builds import prefix_hint
from genospark.core.paths import is_url
from genospark.errors import InputError
from genospark.ingest.reads.bases import coverage
from genospark.ingest.reads.cigars import Bools
from genospark.ingest.reads.regions import Region

_INDEX = "compress it with `bgzip` and index it: `tabix -p vcf {}`"


@dataclass(frozen=True)
class KnownSites:
    """A bgzipped VCF with its index, on a disk that all tasks reach.

    Attributes:
        path: File.
    """

    path: str

    def check(self, contigs: Iterable[str]) -> None:
        """Checks that the file can be read by region, and knows sites of some contig.

        Args:
            contigs: Of the reference.

        Raises:
            InputError: It cannot, or does not.
        """
        if is_url(self.path):
            raise InputError(f"{self.path}: known sites are read from a local disk alone", "copy the file and its index there")
        if not any(Path(f"{self.path}{suffix}").is_file() for suffix in (".tbi", ".csi")):
            raise InputError(f"{self.path}: no index ({Path(self.path).name}.tbi or .csi) beside it", _INDEX.format(self.path))
        with self._opened() as file:
            names, wanted = set(file.contigs), list(contigs)
        if not names.intersection(wanted):
            shown = next(iter(sorted(names)), "none at all")
            problem = f"{self.path}: no contig of the reference has a site in it; its first is {shown}{prefix_hint(wanted, names)}"
            raise InputError(problem, "give sites of the genome build that reads were aligned to")

    def mask(self, region: Region) -> Bools:
        """(positions,) the positions of a region that a site's reference allele covers.

        Raises:
            InputError: The file is damaged.
        """
        n = region.end - region.start
        with self._opened() as file:
            if region.contig_name not in file.contigs:
                return np.zeros(n, bool)
            try:
                sites = [line.split("\t", 4)[1:4:2] for line in file.fetch(region.contig_name, region.start, region.end)]
                first = np.array([int(position) - 1 for position, _ in sites], np.int64) - region.start
                bases = np.array([len(allele) for _, allele in sites], np.int64)
            except (OSError, ValueError) as error:
                raise InputError(f"{self.path}: cannot be read as an indexed VCF ({error})", _INDEX.format(self.path)) from None
        covered: Bools = coverage(first, first + bases, n) > 0
        return covered

    def _opened(self) -> pysam.TabixFile:
        try:
            return pysam.TabixFile(self.path)
        except (OSError, ValueError) as error:
            raise InputError(f"{self.path}: cannot be read as an indexed VCF ({error})", _INDEX.format(self.path)) from None
