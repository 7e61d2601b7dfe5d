"""Replicates: refits to simulated records, whose spread about the release is the release's about the population."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from medsynth import Synthesizer
from medsynth.encoding.codec import Codec
from medsynth.errors import InputError, UsageError
from medsynth.inference import combine
from medsynth.privacy.mechanisms import UNITS_PER_PERSON
from medsynth.replicating import Replicates, followed, simulated
from medsynth.sampling.what_if import require_factual
from medsynth.schema import parse_schema
from medsynth.schema.table import REPLICATE_COLUMN

ONE = """
medsynth: 1
dataset: {name: coin}
privacy: {rows_are_persons: true, persons: 400, epsilon: 0.4}
columns: {ill: {kind: boolean}}
utility: {target: ill, positive: true, task: binary}
"""
STAYS = """
medsynth: 1
dataset: {name: stays}
privacy: {unit: person, persons: 300, bounding: {rule: sample, max: 3}, epsilon: 3.0}
columns:
  person: {kind: id}
  ill: {kind: boolean}
  ward: {kind: category, values: [a, b]}
"""


@pytest.fixture(scope="module")
def stays() -> Synthesizer:
    rng = np.random.default_rng(5)
    rows = pd.DataFrame(
        {"person": rng.integers(0, 300, 600), "ill": rng.random(600) < 0.4, "ward": rng.choice(["a", "b"], 600)}
    )
    return Synthesizer(parse_schema(STAYS)).fit(rows)


def test_a_person_with_three_rows_that_count_in_full_is_simulated_as_three_equal_rows() -> None:
    world = np.array([[0, 0], [1, 1]], dtype=np.int32)
    records = simulated(world, Codec(schema=parse_schema(STAYS)), 300, np.random.default_rng(0))
    rows = np.stack(records.columns, axis=1)
    assert records.l2 == 3 * UNITS_PER_PERSON
    assert len(rows) == 300
    assert (rows.reshape(100, 3, 2) == rows.reshape(100, 3, 2)[:, :1]).all()
    assert set(records.weights) == {UNITS_PER_PERSON}


def test_simulated_persons_are_drawn_from_the_table_in_its_shares() -> None:
    world = np.repeat(np.array([[0], [1]], dtype=np.int32), [75, 25], axis=0)
    records = simulated(world, Codec(schema=parse_schema(ONE)), 40_000, np.random.default_rng(0))
    assert records.columns[0].mean() == pytest.approx(0.25, abs=0.011)  # five deviations


def test_tables_are_marked_from_the_release_on_and_differ(stays: Synthesizer) -> None:
    tables = list(stays.replicates(3, n=50, seed=1))
    assert [table[REPLICATE_COLUMN].unique().tolist() for table in tables] == [[0], [1], [2], [3]]
    assert [len(table) for table in tables] == [50] * 4
    assert not any(
        tables[0].drop(columns=REPLICATE_COLUMN).equals(each.drop(columns=REPLICATE_COLUMN)) for each in tables[1:]
    )


def test_the_release_is_an_independent_draw_and_follows_the_seed(stays: Synthesizer) -> None:
    release = next(iter(stays.replicates(2, n=50, seed=1))).drop(columns=REPLICATE_COLUMN)
    pd.testing.assert_frame_equal(release, stays.sample(50, seed=1, draw="random"))


def test_a_refit_measures_the_same_tables_with_the_same_noise(stays: Synthesizer) -> None:
    from medsynth.replicating import Refit

    file = stays.model_
    codec = Codec(schema=stays.schema)
    world = codec.encode(stays.sample(200, seed=1))
    refit = Refit(file, codec).fitted(world, np.random.default_rng(1))
    own, again = ([(each.noisy.shape, each.sigma) for each in of.measurements] for of in (file.fitted, refit))
    assert [shape for shape, _ in own] == [shape for shape, _ in again]
    assert [sigma for _, sigma in own] == pytest.approx([sigma for _, sigma in again], rel=1e-6)


def test_independent_rows_follow_one_way_tables_and_pairs_of_the_tree(stays: Synthesizer) -> None:
    assert {table.attributes for table in followed(stays.model_)} == {(), ("ill",), ("ward",), ("ill", "ward")}


def test_intervals_with_replicates_cover_where_naive_ones_do_not() -> None:
    """Of 40 intervals that cover with probability 0.95, fewer than 32 do so with probability 3e-4.

    Naive ones know of a deviation of about 0.023 where noise, sampling and drawing make about 0.06: they cover six
    times in ten, and 34 of 40 or more with probability 1e-3.
    """
    rng = np.random.default_rng(11)
    schema = parse_schema(ONE)
    codec = Codec(schema=schema)
    covered, naive = 0, 0
    for _ in range(40):
        file = Synthesizer(schema).fit(pd.DataFrame({"ill": rng.random(400) < 0.3})).model_
        drawing = Replicates(file, codec, 400, rng, number=6)
        shares = [float(table["ill"].astype(float).mean()) for table in drawing]
        found, (declared,) = combine(shares), drawing.declared
        assert declared.value == pytest.approx(shares[0])
        covered += found.low <= 0.3 <= found.high
        naive += abs(shares[0] - 0.3) <= 1.96 * (shares[0] * (1 - shares[0]) / 400) ** 0.5
    assert covered >= 32
    assert naive < 34


def test_the_command_writes_every_table_and_says_what_they_are(command, clinic: Path) -> None:
    assert command("fit", "visits.csv", "-s", "clinic.yaml", "-o", "m.medsynth").code == 0
    ran = command("sample", "m.medsynth", "-o", "r.csv", "-n", 60, "--replicates", 2, "--json")
    assert ran.code == 0, ran.err
    rows = pd.read_csv(clinic / "r.csv")
    assert rows[REPLICATE_COLUMN].value_counts().to_dict() == {0: 60, 1: 60, 2: 60}
    said = json.loads((clinic / "r.csv.provenance.json").read_text(encoding="utf-8"))
    assert (said["replicates"], said["draw"], said["synthetic"]) == (2, "random", True)
    assert "never pool the rows" in said["replicates_note"]
    found = json.loads(ran.out)["estimates"]
    assert [(each["study"], each["term"]) for each in found] == [("outcome == 'dead'", "everyone")]
    assert "Refitting, replicate 2 of 2" in ran.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--replicates", 1], "takes 2 to 1000"),
        (["--replicates", 5, "--where", "age >= 65"], "--where: cannot be combined with --replicates"),
        (["--replicates", 5, "--draw", "edited"], "--draw edited: cannot be combined"),
        (["--replicates", 5, "--upsample", "died:0.3"], "--upsample: cannot be combined"),
        (["--replicates", 5, "--set", "sex=F"], "--set: cannot be combined"),
    ],
)
def test_what_makes_no_sense_with_replicates_is_refused(command, tmp_path: Path, options, message) -> None:
    ran = command("sample", "none.medsynth", "-o", tmp_path / "r.csv", *options)
    assert ran.code == 2
    assert message in ran.err


def test_python_refuses_the_same(stays: Synthesizer) -> None:
    with pytest.raises(UsageError, match="takes 2 to 1000"):
        stays.replicates(1)
    with pytest.raises(UsageError, match="needs rows"):
        stays.replicates(2, n=0)


def test_replicates_can_be_gone_through_once_and_are_no_single_table(stays: Synthesizer) -> None:
    drawn = stays.replicates(2, n=50, seed=1)
    tables = list(drawn)
    with pytest.raises(UsageError, match="gone through once"):
        list(drawn)
    with pytest.raises(InputError, match=r"x\.csv: holds replicates.*_replicate is 0"):
        require_factual(pd.concat(tables), None, "x.csv")
