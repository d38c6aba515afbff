"""Whose genotypes a batch's files hold: files of the same people make one sample set, other people make another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genospark.errors import InputError
from genospark.ingest.batches import OVERLAP, SHOWN
from genospark.ingest.genotype_files import Header


@dataclass(frozen=True)
class SampleSets:
    """People of a batch.

    Attributes:
        people: Of each set, in the order of its blocks.
        of_file: Set of each file.
        columns: Of each file, places of its set's people among its own; None where these are all, in order.
        replaced: People of other batches whose genotypes this one replaces.
    """

    people: list[tuple[str, ...]]
    of_file: list[int]
    columns: list[NDArray[np.int64] | None]
    replaced: frozenset[str] = frozenset()


def arrange(headers: Sequence[Header], others: frozenset[str], on_overlap: str, chosen: frozenset[str] | None = None) -> SampleSets:
    """Sorts files into sample sets, and gives everyone whom two sets have to one of them.

    Args:
        headers: Of the batch's files.
        others: People of other batches.
        on_overlap: refuse; keep, what is there or comes first; replace it.
        chosen: People who are read, some of every file; all where None.

    Raises:
        InputError: People stand in two sets or batches, and that is to be refused.
    """
    order: dict[frozenset[str], tuple[Header, tuple[str, ...]]] = {}
    own = [header.sample_ids if chosen is None else tuple(one for one in header.sample_ids if one in chosen) for header in headers]
    for header, ids in zip(headers, own, strict=True):
        order.setdefault(frozenset(ids), (header, ids))
    owner: dict[str, int] = dict.fromkeys(others, -1) if on_overlap == "keep" else {}
    taken = set(others)
    for number, (names, (header, ids)) in enumerate(order.items()):
        path, word, first = header.people_at
        shared = [str(place) for place, person in enumerate(header.sample_ids, first) if person in names and person in taken]
        if shared and on_overlap == "refuse":
            listed = ", ".join(shared[:SHOWN]) + (", ..." if len(shared) > SHOWN else "")
            raise InputError(f"{path}: another batch or file has {len(shared)} of its people, of {word} {listed}", OVERLAP)
        for person in ids:
            if on_overlap == "replace":
                owner[person] = number
            else:
                owner.setdefault(person, number)
        taken |= names
    people = [tuple(one for one in ids if owner[one] == number) for number, (_, ids) in enumerate(order.values())]
    numbers = {names: number for number, names in enumerate(order)}
    of_file = [numbers[frozenset(ids)] for ids in own]
    columns = [_columns(header.sample_ids, people[number]) for header, number in zip(headers, of_file, strict=True)]
    return SampleSets(people, of_file, columns, others & frozenset(owner) if on_overlap == "replace" else frozenset())


def _columns(own: tuple[str, ...], wanted: tuple[str, ...]) -> NDArray[np.int64] | None:
    if own == wanted:
        return None
    place = {name: index for index, name in enumerate(own)}
    return np.array([place[name] for name in wanted], np.int64)
