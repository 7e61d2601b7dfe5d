# ruff: noqa: E501  (a table of cases reads best with one case per line)
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medsynth.errors import UsageError
from medsynth.schema import Schema, parse_predicate
from medsynth.schema.predicate import (
    And,
    Compare,
    CompareCalculated,
    CompareColumns,
    Implies,
    InGroup,
    IsIn,
    IsMissing,
    Not,
    Or,
    Predicate,
    leaf_holds,
    parse_expression,
    rename_column,
)  # fmt: skip

A, B, C = Compare("a", "==", 1), Compare("b", "==", 2), Compare("c", "==", 3)

names = st.one_of(st.sampled_from(["a", "b", "age", "in", "all", "of", "x y", "é", "", "1a"]), st.text(max_size=6))
values = st.one_of(
    st.booleans(), st.integers(-(10**12), 10**12), st.text(max_size=6),
    st.floats(allow_nan=False, allow_infinity=False),
)  # fmt: skip
columns = names.filter(bool)
operators = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
sides = st.sampled_from(["a + b", "a - (b - 2) * c", "round(a / b, 1)", "-1 * a", "`x y` + 0.5"]).map(parse_expression)
leaves = st.one_of(
    st.builds(CompareCalculated, sides, operators, sides),
    st.builds(Compare, columns, operators, values),
    st.builds(CompareColumns, columns, operators, columns),
    st.builds(IsIn, columns, st.lists(values, min_size=1, max_size=3).map(tuple)),
    st.builds(InGroup, columns, st.sampled_from(["ICD9", "own_list"]), st.text(max_size=5)),
    st.builds(IsMissing, columns),
)
predicates = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(Implies, inner, inner),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: And(tuple(parts))),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: Or(tuple(parts))),
    ),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(predicates)
def test_predicate_survives_its_own_text(predicate: Predicate) -> None:
    again = parse_predicate(str(predicate))
    assert again == predicate
    assert str(again) == str(predicate)


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="ab1'\"`()[],=<>! \nandornotinismissingimpliesof", max_size=60))
def test_any_text_parses_or_is_refused_in_one_sentence(text: str) -> None:
    try:
        predicate = parse_predicate(text)
    except UsageError as error:
        sentence = str(error)
    else:
        assert parse_predicate(str(predicate)) == predicate
        return
    assert sentence.startswith("Predicate")
    assert "\n" not in sentence


@pytest.mark.parametrize(
    ("text", "predicate"),
    [
        ("a == 1 or b == 2 and c == 3", Or((A, And((B, C))))),
        ("a == 1 and b == 2 or c == 3", Or((And((A, B)), C))),
        ("(a == 1 or b == 2) and c == 3", And((Or((A, B)), C))),
        ("not a == 1 and b == 2", And((Not(A), B))),
        ("not (a == 1 and b == 2)", Not(And((A, B)))),
        ("a == 1 or b == 2 implies c == 3", Implies(Or((A, B)), C)),
        ("a == 1 implies b == 2 implies c == 3", Implies(A, Implies(B, C))),
        ("a==1 and(b==2)and c==3", And((A, B, C))),
        ("1 <= a <= 3", And((Compare("a", ">=", 1), Compare("a", "<=", 3)))),
        ("0 < a", Compare("a", ">", 0)),
        ("a < b <= c", And((CompareColumns("a", "<", "b"), CompareColumns("b", "<=", "c")))),
        ("a == -1.5e-3", Compare("a", "==", -0.0015)),
        ("a != true or a == false", Or((Compare("a", "!=", True), Compare("a", "==", False)))),
        ("a in ('x', \"y\", 3,)", IsIn("a", ("x", "y", 3))),
        ("a in ['x']", IsIn("a", ("x",))),
        ("a not in ('x')", And((Not(IsIn("a", ("x",))), Not(IsMissing("a"))))),
        ("a is missing", IsMissing("a")),
        ("a is not missing", Not(IsMissing("a"))),
        ("a in ICD9('250')", InGroup("a", "ICD9", "250")),
        ("a in ICD9('250', 'V57')", Or((InGroup("a", "ICD9", "250"), InGroup("a", "ICD9", "V57")))),
        ("all of (a, b) == 1", And((Compare("a", "==", 1), Compare("b", "==", 1)))),
        ("any of (a, b) != 'No'", Or((Compare("a", "!=", "No"), Compare("b", "!=", "No")))),
        ("all of (a) is missing", IsMissing("a")),
        ("any of (a, b) in ('x')", Or((IsIn("a", ("x",)), IsIn("b", ("x",))))),
        ("`capital-gain` > 0", Compare("capital-gain", ">", 0)),
        ("`a``b` == 1", Compare("a`b", "==", 1)),
        ("`all` == 1", Compare("all", "==", 1)),
        ("of == 1", Compare("of", "==", 1)),
        ("a == 'it''s'", Compare("a", "==", "it's")),
        ('a == "say ""hi"""', Compare("a", "==", 'say "hi"')),
        ("größe > 3", Compare("größe", ">", 3)),
        ("d >= '2020-01-31'", Compare("d", ">=", "2020-01-31")),
        ("a\n==\t1", A),
        ("a + b == c", CompareCalculated(parse_expression("a + b"), "==", parse_expression("c"))),
        ("(a + b) * 2 <= c", CompareCalculated(parse_expression("(a + b) * 2"), "<=", parse_expression("c"))),
        ("(a == 1) and (b - c) > 3", And((A, CompareCalculated(parse_expression("b - c"), ">", parse_expression("3"))))),
        ("a == (1)", A),
    ],
)  # fmt: skip
def test_language_reads_as_documented(text: str, predicate: Predicate) -> None:
    assert parse_predicate(text) == predicate


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "Predicate, position 1: expected a column, number, text, true or false, found the end."),
        ("a", "Predicate, position 2: expected a comparison, in, or is missing, found the end. Write, say, a == true"),
        ("a = 1", "Predicate, position 3: '=' is not part of the language. Write == to compare."),
        ("a == ", "Predicate, position 6: expected a column, number, text, true or false, found the end."),
        ("a == 1 b == 2", "Predicate, position 8: expected and, or, implies or the end, found 'b'."),
        ("a == 1 &", "Predicate, position 8: '&' is not part of the language. Write and."),
        ("a == 'x", "Predicate, position 6: \"'\" is not part of the language. Close the text with the quote that opens it."),
        ("`a == 1", "Predicate, position 1: '`' is not part of the language. Close the column name with a back quote."),
        ("a == 2020-01-31", "Predicate, position 6: expected a column in the calculation, found 2020. Write a constant as one number, and a date in quotes."),
        ("(a if b == 1 else c) == d", "Predicate, position 26: expected a sum or product, found the end."),
        ("a + b", "Predicate, position 6: expected a comparison such as == or <, found the end."),
        ("a + 'x", "Predicate, position 5: \"'\" is not part of the language."),
        ("1a == 2", "Predicate, position 1: '1a' is neither a number nor a name. Back-quote a column name"),
        ("1 == 2", "Predicate, position 7: expected a column on one side of the comparison, found the end."),
        ("(a == 1", "Predicate, position 8: expected ')', found the end."),
        ("a in ()", "Predicate, position 7: expected a column, number, text, true or false, found ')'."),
        ("a in 'x'", "Predicate, position 6: expected '[', found 'x'."),
        ("a in ('x']", "Predicate, position 10: expected ')', found ']'."),
        ("a in ICD9(250)", "Predicate, position 11: expected a quoted code or group, found 250."),
        ("a is null", "Predicate, position 6: expected 'missing', found 'null'."),
        ("a not like 'x'", "Predicate, position 7: expected 'in', found 'like'."),
        ("all (a, b) == 1", "Predicate, position 5: expected 'of', found '('."),
        ("all of () == 1", "Predicate, position 9: expected a column name, found ')'."),
        ("`` == 1", "Predicate, position 1: expected a column name, found ''."),
        ("a == --1", "Predicate, position 7: expected a number, found '-'."),
        ("a > 1e999", "Predicate, position 5: number '1e999' is too large."),
        ("a > " + "9" * 60, "Predicate, position 5: number '999999999999999...' is too large."),
        ("a == \x00", "Predicate, position 6: '\\x00' is not part of the language."),
        ("__import__('os')", "Predicate, position 11: expected a comparison, in, or is missing, found '('."),
    ],
)  # fmt: skip
def test_error_names_position_finding_and_fix(text: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=re.escape(sentence)):
        parse_predicate(text)


@pytest.mark.parametrize(
    "text",
    [
        "(" * 5000,
        "not " * 4000 + "a == 1",
        "a == 1 implies " * 300 + "a == 1",
        "(" * 41 + "a == 1" + ")" * 41,
    ],
)
def test_deep_nesting_is_refused_without_overflow(text: str) -> None:
    with pytest.raises(UsageError, match=r"nested more than 40 deep"):
        parse_predicate(text)


def test_long_text_is_refused_before_it_is_read() -> None:
    with pytest.raises(UsageError, match=r"longer than 20000 characters"):
        parse_predicate("a == 1 and " * 5000)


def test_wide_predicate_is_flat() -> None:
    predicate = parse_predicate(" or ".join(f"a == {i}" for i in range(1000)))
    assert isinstance(predicate, Or)
    assert len(predicate.parts) == 1000


def test_columns_and_comparisons_are_listed() -> None:
    predicate = parse_predicate("a >= 3 and b in ('x', 'y') or not c is missing and d < e")
    assert predicate.columns == {"a", "b", "c", "d", "e"}
    assert list(predicate.comparisons()) == [("a", ">=", 3), ("b", "==", "x"), ("b", "==", "y")]


@pytest.mark.parametrize(
    ("text", "value", "holds"),
    [
        ("x == 'a'", "a", True), ("x != 'a'", "a", False), ("x == 1", 1.0, True), ("x == '1'", 1, True),
        ("x >= 2", 3, True), ("x < 2", 3, False), ("x <= 3", 3, True), ("x > 3", 3, False), ("x in ('a', 'b')", "b", True),
        ("x in ('a', 'b')", "c", False), ("x is missing", "a", False), ("x < 'b'", "a", True), ("x == true", True, True),
    ],
)  # fmt: skip
def test_leaf_decides_constants(text: str, value: object, holds: bool) -> None:
    assert leaf_holds(parse_predicate(text), value) is holds  # type: ignore[arg-type]


def test_leaf_can_speak_of_another_column() -> None:
    assert rename_column(Compare("a", "<", 3), "b") == Compare("b", "<", 3)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("ag > 3", "column 'ag' is not in the schema. Did you mean 'age'?"),
        ("notes == 'x'", "column 'notes' is of kind drop, which is not modelled. Use a modelled or derived column."),
        ("sex == 'f'", "column 'sex': 'f' is not one of its values. Did you mean 'F'?"),
        ("sex > 'F'", "column 'sex': > needs an order. Set ordered: true, or use == or in."),
        ("sex in ('F', 'X')", "column 'sex': 'X' is not one of its values. Allowed: F, M."),
        ("band == '?'", "column 'band': '?' means missing. Write is missing."),
        ("band > '(other)'", "column 'band': '(other)' is not one of its values."),
        ("smoker == true", "column 'smoker': True is not one of its values. Allowed: no, yes."),
        ("smoker > 'no'", "column 'smoker': > needs an order."),
        ("age == 'old'", "column 'age': 'old' is not a number. Write a number without quotes."),
        ("age > 121", "column 'age': 121 lies outside its bounds 0 to 120."),
        ("age == 1.5", "column 'age': 1.5 is not a whole number. Correct the value."),
        ("age == true", "column 'age': True is not a number."),
        ("charge == -1", "column 'charge': '-1' means missing. Write is missing."),
        ("charge == 'N'", "column 'charge': 'N' means missing. Write is missing."),
        ("age is missing", "column 'age' has no missing cells. Set missing: true, list missing_codes, or remove the test."),
        ("admit > 3", "column 'admit': 3 is not a date. Write it as '2020-01-31'."),
        ("admit > '1999-01-01'", "column 'admit': 1999-01-01 lies outside its bounds 2020-01-01 to 2025-12-31."),
        ("dx == '250.83'", "column 'dx': '250.83' is kept as '250'. Write that."),
        ("dx == '630-679'", "column 'dx': '630-679' is not a code of icd9cm3. It is a group: write in icd9cm3('630-679')."),
        ("dx == 'cholera'", "column 'dx': 'cholera' is not a code of icd9cm3."),
        ("dx > '250'", "column 'dx': > needs an order, which codes have not."),
        ("dx in ICD10('E11')", "column 'dx': holds codes of icd9cm3, not ICD10. Write icd9cm3(...)."),
        ("dx in ICD9('630-678')", "column 'dx': '630-678' is no code or group of icd9cm3."),
        ("age in ICD9('250')", "column 'age': ICD9(...) is for columns of kind code. Use == or in (...)."),
        ("age > sex", "columns 'age' (integer) and 'sex' (category) cannot be compared. Compare columns of one kind."),
        ("band > band", None),
        ("smoker == sex", "columns 'smoker' (boolean) and 'sex' (category) cannot be compared."),
        ("sex < sex", "columns 'sex' and 'sex': < needs the same ordered values in both. Use == or !=."),
    ],
)  # fmt: skip
def test_values_that_cannot_occur_are_refused(text: str, sentence: str | None, small: Schema) -> None:
    if sentence is None:
        assert small.predicate(text) == parse_predicate(text)
        return
    with pytest.raises(UsageError) as caught:
        small.predicate(text)
    assert str(caught.value).startswith(sentence)


@pytest.mark.parametrize(
    "text",
    [
        "age > charge", "charge < paid", "admit == admit", "band == '(other)'", "age is not missing", "band < 'high'",
        "age not in (3, 4)", "smoker is missing", "dx == '(other)'", "sex == 'F' implies charge > 2.5", "age == 3.0",
    ],
)  # fmt: skip
def test_values_that_can_occur_are_taken(text: str, small: Schema) -> None:
    assert small.predicate(text) == parse_predicate(text)


def test_a_quoted_bracket_is_a_value_and_closes_no_list() -> None:
    assert str(parse_predicate("a in (false, ')')")) == "a in (false, ')')"
    assert str(parse_predicate("a in ['x', ']']")) == "a in ('x', ']')"
