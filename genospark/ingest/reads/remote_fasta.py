"""An indexed FASTA file behind a URL: of each stretch only its bytes are fetched. HTSlib would need settings of its own for that."""

from __future__ import annotations

from genospark.core.paths import open_jumping, place
from genospark.errors import InputError


class RemoteFasta:
    """As ``pysam.FastaFile``, of a file that is not compressed.

    Args:
        url: FASTA file; its index lies beside it.

    Attributes:
        filename: The URL.
        references: Names of the contigs, in the order of the index.
        lengths: Their lengths in base pairs.

    Raises:
        InputError: The file is compressed, or the index is none.
    """

    def __init__(self, url: str) -> None:
        self.filename = url.encode()
        self._file = open_jumping(url)
        if self._file.read(2) == b"\x1f\x8b":
            raise InputError(f"{url}: a compressed FASTA file is read from a local disk alone", "copy it there, or decompress it")
        try:
            rows = [line.split("\t") for line in place(f"{url}.fai").read_text().splitlines()]
            self._index = {row[0]: tuple(map(int, row[1:5])) for row in rows}
        except (ValueError, IndexError):
            raise InputError(f"{url}.fai: not an index of a FASTA file", f"make it anew: `samtools faidx {url}`") from None
        self.references = list(self._index)
        self.lengths = [entry[0] for entry in self._index.values()]

    def __enter__(self) -> RemoteFasta:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def get_reference_length(self, reference: str) -> int:
        """Base pairs of a contig.

        Raises:
            KeyError: There is no such contig.
        """
        return self._index[reference][0]

    def fetch(self, reference: str, start: int, end: int) -> str:
        """Bases of a contig from `start` (0-based) up to `end`, which lie in it."""
        _, offset, bases, width = self._index[reference]
        first, last = (offset + at // bases * width + at % bases for at in (start, end - 1))
        self._file.seek(first)
        return self._file.read(last + 1 - first).replace(b"\n", b"").replace(b"\r", b"").decode("ascii")
