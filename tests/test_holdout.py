"""Who is held out, and that nobody stands on both sides."""

import numpy as np
import pandas as pd
import pytest

from medsynth.errors import DataError
from medsynth.holdout import held_out, require_other_persons
from medsynth.schema import parse_schema

PATIENTS = parse_schema("""
medsynth: 1
dataset: {name: clinic}
privacy: {unit: who, persons: 1000}
columns: {age: {kind: integer, min: 0, max: 99}}
""")
ROWS = parse_schema("""
medsynth: 1
dataset: {name: clinic}
privacy: {rows_are_persons: true, persons: 1000}
columns: {age: {kind: integer, min: 0, max: 99}}
""")
KEY = bytes(range(32))
VISITS = pd.DataFrame({"who": np.arange(4000) % 1500, "age": 5})


def test_all_rows_of_a_person_are_on_one_side() -> None:
    out = held_out(VISITS, PATIENTS, 0.2, KEY)
    assert VISITS[out].who.isin(VISITS[~out].who).sum() == 0
    # Binomial(1500, 0.2) has standard deviation 15.5; the key is fixed, the bound is 5 times it.
    assert abs(VISITS[out].who.nunique() - 300) < 5 * 15.5


def test_who_is_held_out_does_not_depend_on_other_people_or_the_order_of_rows() -> None:
    out = set(VISITS[held_out(VISITS, PATIENTS, 0.2, KEY)].who)
    some = VISITS[VISITS.who < 700].sample(frac=1.0, random_state=1)
    assert set(some[held_out(some, PATIENTS, 0.2, KEY)].who) == {who for who in out if who < 700}


def test_rows_that_are_persons_are_held_out_at_the_share_asked_for() -> None:
    out = held_out(VISITS, ROWS, 0.3, KEY)
    # Binomial(4000, 0.3) has standard deviation 29; the bound is 5 times it.
    assert abs(int(out.sum()) - 1200) < 5 * 29


def test_a_holdout_with_a_training_person_is_refused_without_naming_the_person() -> None:
    with pytest.raises(DataError, match="'who' names a person who is also in the training table") as caught:
        require_other_persons(VISITS, VISITS[VISITS.who == 1234].astype({"who": str}), PATIENTS)
    assert "1234" not in str(caught.value)
    require_other_persons(VISITS, VISITS.assign(who=VISITS.who + 10_000), PATIENTS)
