import math

from medsynth.sampling.lineage import LONGEST, MOST_ANCESTORS, lineage_of, lineage_sentences

FIRST = {
    "synthetic": True,
    "generator": "medsynth 0.1.0",
    "schema": "clinic",
    "model": "mst",
    "guarantee": {"epsilon": 1.0, "delta": 1e-6, "unit": "patient", "neighbours": "add-remove"},
    "licence": "CC0",
    "generation": 1,
    "ancestors": [],
}


def test_a_table_without_a_mark_leaves_no_trace():
    assert lineage_of(None) == {}
    assert lineage_sentences({"model": "mst"}) == ()


def test_each_generation_remembers_all_before_it():
    second = FIRST | {"guarantee": {"epsilon": 2.0, "delta": 1e-7}} | lineage_of(FIRST)
    third = lineage_of(second)
    assert (second["generation"], third["generation"]) == (2, 3)
    assert [each["generation"] for each in third["ancestors"]] == [1, 2]
    assert [each["guarantee"]["epsilon"] for each in third["ancestors"]] == [1.0, 2.0]
    told = " ".join(lineage_sentences(third))
    for part in ("Generation 3", "epsilon 1.0, delta 1e-06 per patient", "epsilon 2.0", "licence CC0", "table clinic"):
        assert part in told


def test_a_mark_that_cannot_be_read_counts_as_one_generation():
    about = lineage_of({})
    assert about == {"generation": 2, "ancestors": [{"generation": 1}]}
    assert "no guarantee stated" in " ".join(lineage_sentences(about))


def test_nothing_but_the_keys_of_a_mark_passes_into_a_model():
    hostile = FIRST | {
        "patient": "Jane Doe",
        "licence": "x" * 10_000,
        "terms": ["Jane Doe"],
        "generation": True,
        "guarantee": {"epsilon": math.nan, "delta": True, "unit": "patient", "note": "Jane Doe"},
        "ancestors": ["Jane Doe", {"name": "Jane Doe", "schema": {"a": "Jane Doe"}}],
    }
    about = lineage_of(hostile)
    assert "Jane Doe" not in repr(about)
    assert about["ancestors"][-1]["guarantee"] == {"unit": "patient"}
    assert len(about["ancestors"][-1]["licence"]) == LONGEST
    assert about["generation"] == 3


def test_a_long_chain_keeps_the_last_ancestors_and_counts_on():
    mark = FIRST
    for _ in range(MOST_ANCESTORS + 5):
        mark = FIRST | lineage_of(mark)
    assert (mark["generation"], len(mark["ancestors"])) == (MOST_ANCESTORS + 6, MOST_ANCESTORS)
    assert mark["ancestors"][0]["generation"] == 6
