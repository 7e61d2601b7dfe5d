"""Given records and what-if copies, over the readable table of `conftest` and a clinic with every kind of column."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from medsynth.encoding.codec import Codec
from medsynth.encoding.condition import compile_condition
from medsynth.errors import InputError, UsageError
from medsynth.models.calibration import calibrate
from medsynth.models.graphical import GraphicalModel
from medsynth.models.junction_tree import JunctionTree
from medsynth.models.levels import Chain, Level
from medsynth.models.rare_groups import RareGroup
from medsynth.sampling.draw import gathered
from medsynth.sampling.given_cells import read_given
from medsynth.sampling.repair import lawful
from medsynth.sampling.what_if import drawing_of, require_factual
from medsynth.schema import parse_schema


def model_of(codec: Codec, joint: np.ndarray | None = None) -> GraphicalModel:
    """A model that is one table over all columns, or even and independent."""
    chains = tuple(Chain(attribute=a.name, levels=(Level.finest(a),)) for a in codec.domain.attributes)
    every = [[(axis, 0) for axis in range(len(chains))]] if joint is not None else []
    tree = JunctionTree.build(chains, every)
    with np.errstate(divide="ignore"):
        potentials = [np.zeros(shape) for shape in tree.shapes] if joint is None else [np.log(joint)]
    calibrated = calibrate(tree, potentials)
    one_ways = tuple(calibrated.marginal([(axis, 0)]) for axis in range(len(chains)))
    return GraphicalModel(domain=codec.domain, chains=chains, one_ways=one_ways, calibrated=calibrated, total=1.0)


@pytest.fixture
def clinic(clinic_schema: str) -> Codec:
    return Codec(schema=parse_schema(clinic_schema))


def drawn(codec, model, seed=1, **options):
    return gathered(drawing_of(model, codec, np.random.default_rng(seed), **options))


def refusal(codec, model=None, **options):
    with pytest.raises(UsageError) as refused:
        drawn(codec, model or model_of(codec), **options)
    return str(refused.value)


GIVEN = pd.DataFrame(
    {
        "diagnosis": ["I21", "O80", None, "(other)", " I50"],
        "sex": [None, "F", None, None, "(other)"],
        "age": [63, "17", None, 64.0, " 99"],
        "charge": [None, "1234.5", -1, 0.07, "20000"],
        "smoker": ["yes", "(missing)", None, "no", ""],
        "admitted": ["2020-02-29", None, "(missing)", "2020-12-31", pd.Timestamp("2020-05-05")],
        "insured": [True, "false", None, "1", "F"],
    },
    dtype=object,
)


def test_given_values_stay_verbatim_in_order_and_only_empty_cells_are_drawn(clinic):
    frame = drawn(clinic, model_of(clinic), given=GIVEN)
    assert list(frame) == list(clinic.schema.outputs)
    assert frame["age"].tolist()[:2] == [63, 17]
    assert frame["age"].tolist()[3:] == [64, 99]
    assert frame["charge"].tolist()[1:] == [1234.5, -1.0, 0.07, 20_000.0]
    assert frame["diagnosis"].drop(2).tolist() == ["I21", "O80", "(other)", "I50"]
    assert frame["sex"].tolist()[1::3] == ["F", "(other)"]
    assert frame["smoker"].tolist()[0] == "yes"
    assert pd.isna(frame["smoker"].tolist()[1])
    assert frame["admitted"].tolist()[3:] == [pd.Timestamp("2020-12-31"), pd.Timestamp("2020-05-05")]
    assert pd.isna(frame["admitted"].iloc[2])
    assert frame["insured"].drop(2).tolist() == [True, False, True, False]
    assert frame["elderly"].eq("yes").equals(frame["age"].ge(65))
    assert frame["person"].tolist() == [f"P-000{number}" for number in range(1, 6)]
    assert frame.dtypes.equals(drawn(clinic, model_of(clinic), n=5).dtypes)


def test_a_code_keeps_the_spelling_it_was_given_in():
    schema = """\
medsynth: 1
dataset: {name: table}
privacy: {rows_are_persons: true, persons: 100}
columns:
  diagnosis: {kind: code, system: icd9cm3}
  sex: {kind: category, values: [F, M]}
rules: ["diagnosis in icd9cm3('250') implies sex == 'F'"]
"""
    codec = Codec(schema=parse_schema(schema))
    frame = drawn(codec, model_of(codec), given=pd.DataFrame({"diagnosis": ["250.83"] * 50}))
    assert frame["diagnosis"].eq("250.83").all()
    assert frame["sex"].eq("F").all()


def test_records_are_gone_through_n_over_their_number_times(table, codec):
    given = pd.DataFrame({"ward": ["a", "b", "c"]})
    frame = drawn(codec, model_of(codec, table.joint), given=given, n=9)
    assert frame["ward"].tolist() == ["a", "b", "c"] * 3
    assert frame["key"].tolist() == [f"R-{number:03d}" for number in range(1, 10)]


@pytest.mark.parametrize("n", [0, 2, 4])
def test_a_number_of_rows_that_is_no_multiple_is_refused(n, table, codec):
    given = pd.DataFrame({"ward": ["a", "b", "c"]})
    assert "multiple" in refusal(codec, model_of(codec, table.joint), given=given, n=n)


def test_completed_records_follow_the_table_given_their_cells_and_the_rules(codec, monkeypatch):
    """Against the shares written out, rule included, with patterns of known cells that differ from row to row."""
    monkeypatch.setattr("medsynth.sampling.given_rows.CHUNK", 5_000)
    joint = np.random.default_rng(0).dirichlet(np.ones(16)).reshape(2, 2, 4)
    n = 12_000
    given = pd.DataFrame({"old": ["yes", None] * (n // 2), "ward": [None, "d", "b"] * (n // 3)})
    frame = drawn(codec, model_of(codec, joint), given=given)
    assert lawful(frame, codec).all()
    obeying = joint.copy()
    obeying[:, 1, 3] = 0
    for old in ("yes", None):
        for ward in (None, "d", "b"):
            rows = frame[
                (given["old"].isna() if old is None else given["old"] == old)
                & (given["ward"].isna() if ward is None else given["ward"] == ward)
            ]
            part = obeying[[0, 1] if old is None else [1]][:, :, [0, 1, 2, 3] if ward is None else ["abcd".index(ward)]]
            share = part[:, 1].sum() / part.sum()
            # Five standard deviations of a share, six times: fails once in 290,000 seeds.
            assert abs((rows["ill"] == "yes").mean() - share) <= 5 * np.sqrt(share * (1 - share) / len(rows))


def test_equal_seeds_give_equal_records_and_another_seed_others(table, codec):
    given = pd.DataFrame({"old": ["yes", None] * 50})
    for more in ({}, {"settings": {"ward": "c"}}):
        first, again, other = (
            drawn(codec, model_of(codec, table.joint), seed, given=given, **more) for seed in (1, 1, 2)
        )
        pd.testing.assert_frame_equal(first, again)
        assert not first.equals(other)


@pytest.mark.parametrize(
    ("column", "values", "said"),
    [
        ("age", ["63.5"], "'age' holds a value outside its domain. It takes whole numbers from 0 to 99"),
        ("age", ["4711"], "'age' holds a value outside"),
        ("age", ["young"], "'age' holds a value outside"),
        ("age", ["(missing)"], "'age' is never missing"),
        ("charge", [float("inf")], "'charge' holds a value outside"),
        ("admitted", ["2020-02-30"], "It takes days from 2020-01-01 to 2020-12-31"),
        ("admitted", ["2020-02-03T04:11"], "'admitted' holds a value outside"),
        ("sex", ["Q9"], "(or write (other) in its place)"),
        ("outcome", ["(other)"], "'outcome' holds a value outside"),
        ("insured", ["perhaps"], "'insured' holds a value outside"),
        ("agee", ["63"], "'agee' is not in the schema. Did you mean 'age'?"),
        ("person", ["P-0001"], "'person' is not modelled (kind id)"),
        ("notes", ["x"], "'notes' is not modelled (kind drop)"),
        ("elderly", ["yes"], "'elderly' is computed from others"),
        ("age", [], "holds no record"),
    ],
)
def test_what_cannot_be_given_is_refused_by_its_column_and_never_by_its_value(column, values, said, clinic):
    message = refusal(clinic, given=pd.DataFrame({column: values}, dtype=object))
    assert message.startswith("--given")
    assert said in message
    for value in values:
        assert str(value) in ("(other)", "(missing)", "x", "yes", "63") or str(value) not in message


def test_a_column_given_twice_is_refused(clinic):
    twice = pd.DataFrame([["1", "2"]], columns=["age", "age"])
    assert "'age' occurs more than once" in refusal(clinic, given=twice)


def test_given_cells_that_break_a_rule_by_themselves_are_refused_with_rule_and_columns(clinic):
    given = pd.DataFrame({"age": [40, 5], "outcome": ["dead", "dead"], "sex": ["F", "F"]})
    message = refusal(clinic, given=given)
    assert "the cells of age, outcome break the rule 'outcome == 'dead' implies age >= 18'" in message


def test_a_rule_that_no_draw_obeys_is_refused_with_the_given_columns(table, codec):
    joint = table.joint.copy()
    joint[1, 0] = 0  # who is old is ill, which ward d excludes: the model does not know it
    given = pd.DataFrame({"old": ["no", "yes"], "ward": ["d", "d"]})
    message = refusal(codec, model_of(codec, joint / joint.sum()), given=given)
    assert "given ward, no draw of some record obeyed the rule 'ill == 'yes' implies ward != 'd''" in message


def test_cells_that_the_model_excludes_are_refused_with_their_columns(table, codec):
    joint = table.joint.copy()
    joint[1, :, 2] = 0
    given = pd.DataFrame({"ill": ["no", "no"], "old": ["no", "yes"], "ward": ["c", "c"]})
    assert "columns 'old', 'ward': cells of some record cannot occur together in the model" in refusal(
        codec, model_of(codec, joint / joint.sum()), given=given
    )
    joint[:, :, 2] = 0
    assert "column 'ward' has a value that the model gives no probability" in refusal(
        codec, model_of(codec, joint / joint.sum()), given=given
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"upsample": {"ill": 0.5}}, "--upsample"),
        ({"where": "old == 'yes'"}, "--where"),
        ({"kind": "edited"}, "--draw edited"),
    ],
)
def test_what_makes_no_sense_beside_given_records_is_refused_with_a_reason(options, said, table, codec):
    message = refusal(codec, model_of(codec, table.joint), given=pd.DataFrame({"old": ["yes"]}), **options)
    assert message.startswith(said)
    assert "cannot be combined with --given" in message


def test_a_table_says_which_columns_were_given_and_what_was_set(table, codec):
    given = pd.DataFrame({"ill": [None, None], "old": ["yes", None]})
    model, rng = model_of(codec, table.joint), np.random.default_rng(0)
    said = drawing_of(model, codec, rng, given=given, settings={"ward": "a"}).said
    assert said["draw"] == "completed"
    assert said["given"] == ["old"]
    assert "no privacy guarantee covers" in said["given_note"]
    assert said["what_if"] == {"ward": "a"}
    assert said["what_if_note"].startswith("What-if, not a causal effect")


def test_a_model_of_another_kind_is_refused(table, codec):
    assert "cannot be conditioned record by record" in refusal(codec, table, given=pd.DataFrame({"old": ["yes"]}))


def pairs(frame):
    """(factual records, their copies), row by row."""
    first, second = (frame[frame["_copy"] == kind].reset_index(drop=True) for kind in ("factual", "what-if"))
    assert frame["_pair"].tolist() == np.repeat(np.arange(1, len(first) + 1), 2).tolist()
    assert frame["_copy"].tolist() == ["factual", "what-if"] * len(first)
    return first, second


@pytest.mark.parametrize("options", [{}, {"upsample": {"ill": 0.5}}, {"kind": "random"}, {"n": 0}])
def test_records_of_pairs_are_those_drawn_without_copies(options, table, codec, monkeypatch):
    monkeypatch.setattr("medsynth.sampling.draw.CHUNK", 64)
    model, options = model_of(codec, table.joint), {"n": 64} | options
    first, second = pairs(drawn(codec, model, settings={"old": "yes"}, **options))
    alone = drawn(codec, model, **options)
    pd.testing.assert_frame_equal(first[list(alone)], alone)
    assert second["old"].eq("yes").all()
    kept = [name for name in ("key", "_weight") if name in alone]
    pd.testing.assert_frame_equal(second[kept], first[kept])


def test_copies_follow_the_model_under_what_is_set_and_change_as_little_as_they_may(codec):
    joint = np.zeros((2, 2, 4))
    joint[0] = 0.6 * np.outer([0.9, 0.1], [0.4, 0.4, 0.2, 0.0])
    joint[1] = 0.4 * np.outer([0.5, 0.5], [0.4, 0.4, 0.2, 0.0])
    n = 20_000
    first, second = pairs(drawn(codec, model_of(codec, joint), n=n, kind="random", settings={"old": "yes"}))
    ill, before = second["ill"] == "yes", first["ill"] == "yes"
    # Five standard deviations of shares: once in 1.7 million seeds each.
    assert abs(ill.mean() - 0.5) < 5 * np.sqrt(0.25 / n)
    young = first["old"] == "no"
    assert abs((ill != before)[young].mean() - 0.4) < 5 * np.sqrt(0.24 / young.sum())
    assert (ill == before)[~young].all()
    pd.testing.assert_series_equal(first["ward"], second["ward"])


def test_copies_obey_rules_that_the_model_does_not_know(codec):
    joint = np.full((2, 2, 4), 1 / 16)  # the rule: who is ill is not in ward d
    first, second = pairs(drawn(codec, model_of(codec, joint), n=4_000, kind="random", settings={"ill": "yes"}))
    assert lawful(second, codec).all()
    in_d = first["ward"] == "d"
    assert in_d.any()
    assert second["ill"].eq("yes").all()
    pd.testing.assert_series_equal(second["ward"][~in_d], first["ward"][~in_d])
    # Drawn afresh, each of three wards gets a third: five standard deviations.
    assert (second["ward"][in_d].value_counts()[["a", "b", "c"]] / in_d.sum() - 1 / 3).abs().max() < 5 * np.sqrt(
        2 / 9 / in_d.sum()
    )


def test_given_cells_stay_in_both_copies_unless_they_are_set(clinic):
    given = GIVEN.assign(sex="F")
    first, second = pairs(drawn(clinic, model_of(clinic), given=given, settings={"age": 66, "smoker": "(missing)"}))
    assert first["age"].tolist()[:2] == [63, 17]
    assert second["age"].eq(66).all()
    assert second["elderly"].eq("yes").all()
    assert second["smoker"].isna().all()
    rest = [name for name in first if name not in ("age", "elderly", "smoker", "_copy")]
    # The model's columns do not depend on each other: nothing else may change.
    pd.testing.assert_frame_equal(first[rest], second[rest])


@pytest.mark.parametrize(
    ("settings", "options", "said"),
    [
        ({"smoker": "maybe"}, {}, "--set: column 'smoker' holds a value outside its domain"),
        ({"smoker": ""}, {}, "--set: column 'smoker' is set to no value"),
        ({"elderly": "yes"}, {}, "--set: column 'elderly' is computed from others"),
        ({"smokr": "yes"}, {}, "Did you mean 'smoker'?"),
        ({"smoker": "yes"}, {"where": "age >= 65"}, "--where: cannot be combined with --set"),
        ({"sex": "M", "diagnosis": "O80"}, {}, "--set: in some record the cells of diagnosis, sex break the rule"),
    ],
)
def test_what_cannot_be_set_is_refused(settings, options, said, clinic):
    assert said in refusal(clinic, n=3, settings=settings, **options)


def test_a_boolean_is_set_by_its_python_value(clinic):
    _, second = pairs(drawn(clinic, model_of(clinic), n=20, settings={"insured": False, "age": 7}))
    assert not second["insured"].any()
    assert second["age"].eq(7).all()


def test_known_values_are_the_declared_ones(clinic):
    """What `--given` accepts a cell for, `encode` would take for another value: it never fails."""
    given = read_given(GIVEN, clinic)
    for name in given.columns:
        cells = clinic.cells[clinic.domain.index(name)]
        present = GIVEN[name].notna() & ~GIVEN[name].isin(["", "(missing)"])
        assert cells.knows(GIVEN[name])[present].all()
        assert not cells.knows(GIVEN[name])[~present].any()


def unknown_of(model: GraphicalModel, name: str, codec: Codec) -> GraphicalModel:
    """The model with a condition below the noise."""
    group = RareGroup(
        name=name,
        condition=compile_condition(codec.schema.rare_predicates[name], codec),
        persons=0.1,
        counted=0.1,
        error=1.0,
        sigma=1.0,
        columns=(),
        expected_error=None,
        weights=tuple(np.ones(size) for size in codec.domain.sizes),
        measurements=(),
    )
    return replace(model, rare=(group,))


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("both", {"given": {"old": ["no", "yes"], "ill": [None, "yes"]}}, "--given: cells of some record put it into"),
        ("both", {"settings": {"old": "yes", "ill": "yes"}, "n": 4}, "--set: values put every copy into both"),
        (
            "ill",
            {"settings": {"ill": "yes"}, "n": 4, "upsample": {"ill": 0.5}},
            "--upsample ill: the condition is below",
        ),
        (
            "both",
            {"given": {"old": ["no", "yes"]}, "settings": {"ill": "yes"}},
            "--given, --set: values put some copy into both",
        ),
    ],
)
def test_records_put_below_the_noise_are_refused_and_by_force_marked_as_fiction(name, options, said, table, codec):
    model = unknown_of(model_of(codec, table.joint), name, codec)
    options = {key: pd.DataFrame(value) if key == "given" else value for key, value in options.items()}
    message = refusal(codec, model, **options)
    assert message.startswith(said)
    assert "add --force" in message
    drawing = drawing_of(model, codec, np.random.default_rng(0), force=True, **options)
    assert len(gathered(drawing)) > 0
    assert drawing.said["fiction"]
    assert all(sentence.startswith(name) and "fiction" in sentence for sentence in drawing.said["fiction"])
    assert drawing.summary.unsupported == (name,)


@pytest.mark.parametrize(
    "options",
    [
        {"given": pd.DataFrame({"old": ["yes"] * 50})},  # may be ill, at the model's share
        {"given": pd.DataFrame({"old": ["no"], "ill": ["yes"]})},
        {"settings": {"old": "yes"}, "n": 50},
    ],
)
def test_records_that_may_fall_below_the_noise_by_themselves_are_not_refused(options, table, codec):
    drawing = drawing_of(
        unknown_of(model_of(codec, table.joint), "both", codec), codec, np.random.default_rng(0), **options
    )
    gathered(drawing)
    assert "fiction" not in drawing.said
    assert drawing.summary.unsupported == ()


def test_what_a_rule_says_beside_the_given_cells_counts_as_given(table, codec):
    schema = codec.schema.model_copy(update={"rules": ("ward == 'a' implies ill == 'yes'",)})
    ruled = Codec(schema=schema)
    model = unknown_of(model_of(ruled, table.joint), "ill", ruled)
    assert "put it into ill" in refusal(ruled, model, given=pd.DataFrame({"ward": ["a"]}))
    assert len(drawn(ruled, model, given=pd.DataFrame({"ward": ["b"]}))) == 1
    # Nobody can be outside `sure`: no given cell puts anybody into it.
    assert len(
        drawn(codec, unknown_of(model_of(codec, table.joint), "sure", codec), given=pd.DataFrame({"old": ["no"]}))
    )


def test_a_table_with_what_if_copies_stands_for_no_population(table, codec):
    drawing = drawing_of(model_of(codec, table.joint), codec, np.random.default_rng(0), n=5, settings={"old": "yes"})
    frame, said = gathered(drawing), drawing.said
    with pytest.raises(InputError, match=r"pairs\.csv: holds what-if copies.*_copy is 'factual'"):
        require_factual(frame, said, "pairs.csv")
    with pytest.raises(InputError, match="holds what-if copies"):
        require_factual(frame.drop(columns="_copy"), said, "pairs.csv")
    require_factual(frame[frame["_copy"] == "factual"], said, "pairs.csv")
    require_factual(frame.drop(columns="_copy"), None, "plain.csv")
