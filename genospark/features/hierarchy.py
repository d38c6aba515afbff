"""Which terms are wider than which."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from genospark.errors import InputError


def ancestors_by_name(terms: list[str], separators: str) -> dict[str, set[str]]:
    """Wider terms by the terms' names: with ``/`` among the separators, ``a/b/c`` lies under ``a/b`` and ``a``.

    Args:
        terms: Terms that genes have.
        separators: Characters at which names are cut; nothing is wider than anything without.

    Returns:
        For every term, the wider ones included, the terms above it; terms in order.
    """
    found: dict[str, set[str]] = {}
    for term in terms:
        cuts = [match.start() for match in re.finditer(f"[{re.escape(separators)}]", term)] if separators else []
        above = [term[:cut] for cut in cuts if cut]
        for depth, name in enumerate((*above, term)):
            found[name] = set(above[:depth])
    return dict(sorted(found.items()))


def ancestors_by_file(path: Path, terms: list[str]) -> dict[str, set[str]]:
    """Wider terms by a table of termId and parentId, in which a term may have several parents.

    Raises:
        InputError: The file is no such table, or a term lies under itself.
    """
    try:
        with path.open("rb") as file:
            table = pd.read_csv(file, sep="\t", dtype=str)[["termId", "parentId"]].dropna()
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{path}: not a table of termId and parentId ({error})", "name the columns so, tab-separated") from None
    parents: dict[str, list[str]] = table.groupby("termId")["parentId"].agg(list).to_dict()
    found = {term: _above(term, parents) for term in terms}
    found |= {name: _above(name, parents) for name in set().union(*found.values())}
    for term, above in found.items():
        if term in above:
            raise InputError(f"{path}: {term} lies under itself", "a hierarchy has no circles")
    return dict(sorted(found.items()))


def _above(term: str, parents: dict[str, list[str]]) -> set[str]:
    above: set[str] = set()
    edge = list(parents.get(term, []))
    while edge:
        name = edge.pop()
        if name not in above:
            above.add(name)
            edge += parents.get(name, [])
    return above
