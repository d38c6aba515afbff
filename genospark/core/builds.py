"""Signs of different genome builds: how contigs are named, and how long they are."""

from __future__ import annotations

from collections.abc import Collection

_PREFIX = "chr"


def other_name(contig: str) -> str:
    """The contig's name in the other style: ``22`` for ``chr22``, ``chr22`` for ``22``."""
    return contig.removeprefix(_PREFIX) if contig.startswith(_PREFIX) else _PREFIX + contig


def prefix_hint(ours: Collection[str], theirs: Collection[str]) -> str:
    """Words for a message where contigs that are not found would be with the prefix ``chr`` put on or taken off; else nothing."""
    return " (they differ by the prefix chr)" if any(other_name(name) in theirs for name in ours if name not in theirs) else ""


def not_shared(ours: Collection[str], theirs: Collection[str], here: str, there: str) -> str:
    """Words for a message that two inputs have no contig in common.

    Args:
        ours: Contigs of one.
        theirs: Of the other.
        here: What the one is.
        there: What the other is.
    """
    some, others = (", ".join(sorted(names)[:3]) or "none" for names in (ours, theirs))
    return f"no contig of {here} ({some} ...) is one of {there} ({others} ...){prefix_hint(ours, theirs)}"
