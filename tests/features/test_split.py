from __future__ import annotations

import pandas as pd

from genospark.features.split import families_of, split_of

FRACTIONS = (0.7, 0.15, 0.15)


def test_families_stay_together_and_shares_hold() -> None:
    families = pd.Series([f"F{index // 3}" for index in range(6000)])
    sides = split_of(families, FRACTIONS, seed=1)
    assert (sides.groupby(families).nunique() == 1).all()
    shares = sides.value_counts(normalize=True)
    assert abs(shares["train"] - 0.7) < 0.03
    assert abs(shares["test"] - 0.15) < 0.03


def test_people_who_come_later_move_nobody_and_seeds_differ() -> None:
    families = pd.Series([f"F{index}" for index in range(500)])
    sides = split_of(families, FRACTIONS, seed=1)
    later = split_of(pd.concat([pd.Series(["new"]), families], ignore_index=True), FRACTIONS, seed=1)
    assert list(later[1:]) == list(sides)
    assert list(split_of(families, FRACTIONS, seed=2)) != list(sides)


def test_relatives_by_name_or_parent_are_one_family() -> None:
    rows = [
        ("child", None, "father", "mother"),
        ("father", None, "grandfather", None),
        ("cousin", "F1", None, "aunt"),
        ("uncle", "F1", "grandfather", None),
        ("alone", None, None, None),
        ("other", "F2", None, None),
        ("sibling", "F2", None, None),
    ]
    families = families_of(pd.DataFrame(rows, columns=["sampleId", "familyId", "fatherId", "motherId"]))
    groups = {frozenset(names) for names in families.groupby(families).groups.values()}
    kin = {"child", "father", "mother", "grandfather", "cousin", "aunt", "uncle"}
    assert groups == {frozenset(kin), frozenset({"alone"}), frozenset({"other", "sibling"})}
    assert families["child"] == "aunt"
