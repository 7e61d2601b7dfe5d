"""Selection from a pool: nearer to the model, no level lost, strata and rules kept, and a harmful one says so."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from medsynth.encoding.codec import Codec
from medsynth.errors import UsageError
from medsynth.models.graphical import GraphicalModel
from medsynth.models.likelihood import log_likelihood
from medsynth.registry import Registry
from medsynth.sampling.draw import Drawing, draw
from medsynth.sampling.effect import Effect, Tally
from medsynth.sampling.provenance import read_provenance
from medsynth.sampling.repair import kept_conditions, lawful
from medsynth.sampling.select import Selection, coupled
from medsynth.schema import parse_schema
from medsynth.synthesizer import Synthesizer

SCHEMA = """\
medsynth: 1
dataset: {name: stays}
privacy: {rows_are_persons: true, persons: 4000, epsilon: 5, delta: 1.0e-6}
columns:
  ward: {kind: category, values: [a, b, c, d, e, f, g, h]}
  days: {kind: integer, min: 0, max: 119, bins: 120}
  ill: {kind: category, values: ["no", "yes"]}
  sex: {kind: category, values: [F, M]}
rare:
  - {name: far, where: "ward == 'h'"}
  - {name: ill, where: "ill == 'yes'"}
rules: ["sex == 'M' implies ward != 'g'"]
"""


def stays(n: int) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    ward = np.minimum(rng.geometric(0.45, n) - 1, 7)
    sex = np.where(ward == 6, "F", rng.choice(["F", "M"], n))
    ill = np.where(rng.random(n) < 0.05 + 0.05 * ward, "yes", "no")
    days = np.minimum(rng.geometric(0.06, n) - 1 + 2 * ward, 119)
    return pd.DataFrame({"ward": np.array(list("abcdefgh"))[ward], "days": days, "ill": ill, "sex": sex})


@pytest.fixture(scope="module")
def codec() -> Codec:
    return Codec(schema=parse_schema(SCHEMA))


@pytest.fixture(scope="module")
def fitted() -> GraphicalModel:
    model = Synthesizer(parse_schema(SCHEMA)).fit(stays(4000)).model_.fitted
    assert isinstance(model, GraphicalModel)
    return model


@pytest.fixture(scope="module")
def unrelated() -> GraphicalModel:
    """A model whose rows often break the rule."""
    model = Synthesizer(parse_schema(SCHEMA), model="independent").fit(stays(4000)).model_.fitted
    assert isinstance(model, GraphicalModel)
    return model


def drawn(model: Any, codec: Codec, n: int = 150, seed: int = 1, oversample: int = 8, keep: float = 1.0, **rest: Any):
    select = Selection(oversample=oversample, keep=keep)
    wish = {} if select is None else {"oversample": select.oversample, "keep": select.keep}
    return draw(model, codec, n, np.random.default_rng(seed), **wish, **rest)


def test_whole_rows_lie_much_nearer_to_the_model_than_independent_ones(fitted, codec) -> None:
    told = drawn(fitted, codec, kind="random").selected
    before, after = told.effect.before, told.effect.after
    assert after.distance < 0.85 * before.distance
    assert after.levels > 0.9 * before.levels
    assert told.pool == 8 * 150
    assert told.effect.harms == ()


def test_edited_rows_of_a_pool_hold_as_many_levels_as_near_to_the_model(fitted, codec) -> None:
    """Small edited draws spare levels by themselves; the model is a new one each time, hence the allowances."""
    told = [drawn(fitted, codec, 60, seed=seed).selected.effect for seed in range(2)]
    before, after = ([getattr(each, side) for each in told] for side in ("before", "after"))
    assert sum(side.levels for side in after) >= 0.9 * sum(side.levels for side in before)
    assert sum(side.distance for side in after) < 1.25 * sum(side.distance for side in before)


def test_whole_rows_come_from_the_pool_and_rare_conditions_keep_their_share(fitted, codec) -> None:
    made = drawn(fitted, codec, n=400, kind="random")
    conditions = zip(codec.schema.rare_predicates, kept_conditions(codec), strict=True)
    # Dealt rows miss a share by less than a row for each of the few cells it is made of.
    assert made.rare_shares == pytest.approx({name: fitted.share(each) for name, each in conditions}, abs=0.03)


def test_a_band_of_likelihood_keeps_rare_shares_and_says_that_it_narrows(fitted, codec) -> None:
    whole, band = (drawn(fitted, codec, n=400, oversample=20, keep=keep, kind="random") for keep in (1.0, 0.1))
    assert band.rare_shares == whole.rare_shares
    assert not whole.selected.effect.harms
    assert any("levels of the columns are left" in harm for harm in band.selected.effect.harms)


def test_a_choice_by_likelihood_alone_is_told_to_narrow_diversity(fitted) -> None:
    rng = np.random.default_rng(2)
    pool = fitted.draw_from_tree(8_000, rng)
    likely = pool[np.argsort(log_likelihood(fitted, pool))[-400:]]
    harmed = _effect(fitted, likely)
    assert any("levels of the columns are left" in harm for harm in harmed)
    assert any("apart, without selection" in harm for harm in harmed)
    again = _effect(fitted, fitted.draw_from_tree(400, rng))
    assert not any("left" in harm or "apart" in harm for harm in again)


def _effect(fitted: GraphicalModel, rows: Any) -> tuple[str, ...]:
    sides = []
    for each in (fitted.draw_from_tree(400, np.random.default_rng(3)), rows):
        tally = Tally(fitted.domain, fitted.targets, {})
        tally.add([each], [1.0])
        sides.append(tally.side)
    return Effect(before=sides[0], after=sides[1]).harms


@pytest.mark.parametrize("kind", ["edited", "random"])
def test_strata_and_weights_are_those_of_a_plain_draw(kind, fitted, codec) -> None:
    options: dict[str, Any] = {"where": "sex == 'F'", "upsample": {"far": 0.3}, "kind": kind}
    plain = draw(fitted, codec, 100, np.random.default_rng(1), **options)
    made = drawn(fitted, codec, 100, **options)
    assert sorted(made.frame["_weight"]) == sorted(plain.frame["_weight"])
    assert (made.frame["ward"] == "h").sum() == (plain.frame["ward"] == "h").sum() == 30
    assert (made.frame["sex"] == "F").all()


def test_what_a_rule_excludes_is_refused_from_the_pool_and_no_row_breaks_it(unrelated, codec) -> None:
    made = drawn(unrelated, codec, 60)
    assert made.selected.refused > 0
    assert lawful(made.frame, codec).all()
    assert made.repaired == 0.0


def test_equal_seeds_give_equal_rows_and_others_other(fitted, codec) -> None:
    first, again, other = (drawn(fitted, codec, 40, seed=seed).frame for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(first, again)
    assert not first.equals(other)


def test_a_pool_is_no_larger_than_a_chunk_and_chunks_together_meet_the_model(fitted, codec, monkeypatch) -> None:
    whole = drawn(fitted, codec, 300, oversample=4, kind="random").selected
    monkeypatch.setattr("medsynth.sampling.draw.CHUNK", 400)
    rng = np.random.default_rng(1)
    drawing = Drawing(fitted, codec, 300, rng, kind="random", oversample=4)
    frames = list(drawing)
    assert [len(frame) for frame in frames] == [100, 100, 100]
    parts = drawing.summary.selected
    assert parts is not None
    assert parts.pool == whole.pool == 1200
    assert parts.effect.after.distance < 0.85 * parts.effect.before.distance


def test_a_coupling_gives_rows_in_proportion_to_what_they_earn_and_moves_as_few_as_can_be() -> None:
    """Two values of even chance, one earns log 2: its share must be 2/3, and 1/6 of the rows must move.

    Of 30,000 rows a share deviates by 0.0027; six of these are passed at random once in 5e8.
    """
    rng = np.random.default_rng(8)
    first, second = (rng.permutation(np.arange(n) % 2) for n in (30_000, 300_000))
    leaving, coming, left = coupled(np.log(2.0) * first, np.log(2.0) * second, rng)
    chosen = first.copy()
    chosen[leaving] = second[coming]
    assert chosen.mean() == pytest.approx(2 / 3, abs=0.0165)
    assert (chosen != first).mean() == pytest.approx(1 / 6, abs=0.0165)
    assert second[left].mean() == pytest.approx(2 / 3, abs=0.0165)
    assert not set(coming.tolist()) & set(left.tolist())


def test_what_earns_nothing_moves_nothing_and_an_empty_pool_neither() -> None:
    rng = np.random.default_rng(8)
    leaving, coming, left = coupled(np.zeros(50), np.zeros(200), rng)
    assert (len(leaving), len(coming), len(left)) == (0, 0, 200)
    leaving, coming, left = coupled(np.linspace(-1, 1, 50), np.zeros(0), rng)
    assert (len(leaving), len(coming), len(left)) == (0, 0, 0)


def test_no_rows_and_one_row_can_be_selected(fitted, codec) -> None:
    assert len(drawn(fitted, codec, 0).frame) == 0
    one = drawn(fitted, codec, 1)
    assert len(one.frame) == 1
    assert one.selected.effect.harms == ()


def test_a_model_without_pair_tables_is_refused(table, codec) -> None:
    with pytest.raises(UsageError, match="no pair tables"):
        drawn(table, codec)


@pytest.mark.parametrize(
    ("oversample", "keep", "said"),
    [
        (1, None, "between 2 and 100"),
        (101, None, "between 2 and 100"),
        (None, 0.5, "Add --oversample"),
        (20, 0.0, "above 0 and at most 1"),
        (20, float("nan"), "above 0 and at most 1"),
        (5, 0.1, "Take at least 0.2"),
    ],
)
def test_what_cannot_be_selected_is_refused_with_a_fix(oversample, keep, said) -> None:
    with pytest.raises(UsageError, match=said):
        Selection.of(oversample, keep)


def test_nothing_asked_for_is_no_selection_and_all_of_the_pool_is_kept_by_default() -> None:
    assert Selection.of(None, None) is None
    assert Selection.of(20, None) == Selection(oversample=20, keep=1.0)


@pytest.mark.usefixtures("clinic")
def test_the_file_and_the_command_say_what_was_selected(command: Callable[..., Any]) -> None:
    assert command("fit", "visits.csv", "-s", "clinic.yaml", "-o", "m.medsynth").code == 0
    asked = ("sample", "m.medsynth", "-n", 30, "--seed", 1, "--oversample", 5, "--overwrite")
    ran = command(*asked, "-o", "a.csv")
    assert ran.code == 0, ran.err
    assert "from a pool of 5 records for each one. Pool: 150" in " ".join(ran.out.split())
    written = Path("a.csv").read_bytes()
    said = read_provenance(Path("a.csv"))
    assert said is not None
    assert (said["selection"]["oversample"], said["selection"]["keep"]) == (5, 1.0)
    assert "standard errors" in said["draw_note"]
    assert command(*asked, "-o", "a.csv").code == 0
    assert Path("a.csv").read_bytes() == written
    refused = command("sample", "m.medsynth", "-o", "b.csv", "--keep", "0.1")
    assert refused.code == 2
    assert "Add --oversample" in refused.err


@pytest.mark.usefixtures("clinic")
def test_a_run_says_inside_whether_the_selection_earned_its_place(
    command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {
        "marginals": "marginals:Marginals",
        "coverage": "coverage:Coverage",
        "extremes": "extremes:Extremes",
    }  # to save time
    monkeypatch.setattr("medsynth.judging.FIDELITY", Registry("metric", "medsynth.fidelity", asked))
    options = ("-o", "out", "-n", 60, "--seed", 1, "--oversample", 4, "--epsilon", 2, "--model", "mst")
    ran = command("run", "visits.csv", "-s", "clinic.yaml", *options)
    assert ran.code == 0, ran.err
    assert sum("earn" in line for line in ran.out.splitlines() if line.startswith("INTERNAL: ")) == 1

    def pages(edition: str) -> list[Any]:
        written = json.loads(Path(f"out/{edition}/report.json").read_text(encoding="utf-8"))
        return [page for page in written["appendices"] if "earn its place" in page["title"]]

    (page,) = pages("internal")
    assert page["paragraphs"][0] in ran.out
    assert "earn its place" not in Path("out/shareable/report.html").read_text(encoding="utf-8")
    measured = {row[0]: row[1:3] for row in page["rows"]}
    assert len(measured) == 7
    assert all(0 < float(figure) < 1 for figure in measured["Error over pairs of columns, held out"])
    assert command("audit", "out").code == 0  # a step taken again finds the plain draw in the run's record
    assert pages("internal") == [page]
    assert pages("shareable") == []
