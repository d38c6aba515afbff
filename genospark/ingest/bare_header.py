"""What headers have in common of formats that say little of themselves."""

from __future__ import annotations


class BareHeader:
    """A header as of ``genotype_files.Header``, of a format without declared contigs and without findings."""

    @property
    def contigs(self) -> None:
        """None are declared."""
        return None

    @property
    def warnings(self) -> dict[str, int]:
        """None."""
        return {}
