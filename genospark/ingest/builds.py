"""Whether the files of a stage are of one genome build, as far as names and lengths of contigs tell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import combinations

from genospark.core.builds import other_name
from genospark.errors import InputError
from genospark.ingest.genotype_files import Header

UNDECLARED = "a contig of records is not in the header"
_RENAME = "bring all to one build: `bcftools annotate --rename-chrs` renames contigs, a liftover moves positions"


def check_headers(headers: Sequence[Header]) -> None:
    """Checks what the headers of files say of their contigs.

    Raises:
        InputError: Two files name contigs in different styles, or state different lengths of one.
    """
    # Files of one cohort mostly have the same contigs: each list is looked at once.
    distinct = list({tuple(header.contigs.items()): (header.path, header.contigs) for header in headers if header.contigs}.values())
    for (one, contigs), (other, others) in combinations(distinct, 2):
        for name, length in contigs.items():
            turned = other_name(name)
            if turned in others and name not in others and turned not in contigs:
                raise InputError(f"{other}: contigs are named as {turned}, in {one} as {name}", _RENAME)
            theirs = others.get(name)
            if length is not None and theirs is not None and length != theirs:
                raise InputError(f"{other}: {name} has {theirs} bp, in {one} {length} bp: different genome builds", _RENAME)


def check_contigs(headers: Sequence[Header], seen: Iterable[tuple[str, dict[str, int]]]) -> Counter[str]:
    """Checks the contigs that records are on.

    Args:
        headers: Headers of the files.
        seen: File, and the last position (0-based) on each contig in a part of it.

    Returns:
        Findings that touch no stored value, counted.

    Raises:
        InputError: Contigs are named in both styles, or a record lies beyond the end of its contig.
    """
    stated = {header.path: header.contigs for header in headers}
    where: dict[str, str] = {}
    undeclared: set[tuple[str, str]] = set()
    for path, contigs in seen:
        for name, last in contigs.items():
            first = where.setdefault(name, path)
            if other := where.get(other_name(name)):
                raise InputError(
                    f"{path}: records are on {name}, and on {other_name(name)} in {other if other != first else 'the same file'}", _RENAME
                )
            declared = stated[path]
            if declared is None:
                continue
            length = declared.get(name)
            # A telomere has the position after the last one.
            if length is not None and last > length:
                raise InputError(f"{path}: a record lies at {name}:{last + 1}, but the header says that {name} has {length} bp", _RENAME)
            if name not in declared:
                undeclared.add((path, name))
    return Counter({UNDECLARED: len(undeclared)} if undeclared else {})
