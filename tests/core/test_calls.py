import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from genospark.core.calls import count_codes, pack, unpack

codes = hnp.arrays(np.uint8, st.tuples(st.integers(0, 5), st.integers(0, 70)), elements=st.integers(0, 3))


@given(codes)
def test_round_trip(values: np.ndarray) -> None:
    packed = pack(values)
    n = values.shape[1]
    assert packed.shape == (len(values), -(-n // 4))
    assert (unpack(packed, n) == values).all()
    for row, expected in zip(packed, values, strict=True):
        total = int.from_bytes(row.tobytes(), "little")
        assert [total >> 2 * i & 3 for i in range(4 * len(row))] == expected.tolist() + [3] * (-n % 4)


@given(codes)
def test_counts(values: np.ndarray) -> None:
    counts = count_codes(pack(values), values.shape[1])
    assert counts.tolist() == [[int((row == code).sum()) for code in (1, 2, 3)] for row in values]


def test_counts_of_half_a_million_people() -> None:
    values = np.repeat(np.array([[1], [2], [3]], np.uint8), 500_001, axis=1)
    assert count_codes(pack(values), 500_001).tolist() == (np.eye(3, dtype=int) * 500_001).tolist()
