import re

import pytest

from medsynth.errors import UsageError
from medsynth.schema import parse_expression


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "",
            "Expression, position 1: expected a column, number, text, true or false, found the end.",
        ),
        (
            "a +",
            "Expression, position 4: expected a column, number, text, true or false, found the end.",
        ),
        ("a b", "Expression, position 3: expected an operator, if or the end, found 'b'."),
        ("'x' if a == 1", "Expression, position 14: expected 'else', found the end."),
        (
            "round(a, b)",
            "Expression, position 10: expected a whole number of places up to 12, found 'b'.",
        ),
        (
            "round(a, 13)",
            "Expression, position 10: expected a whole number of places up to 12, found 13.",
        ),
        ("round a", "Expression, position 7: expected '(', found 'a'."),
        (
            "a ** 2",
            "Expression, position 4: expected a column, number, text, true or false, found '*'.",
        ),
        ("a % 2", "Expression, position 3: '%' is not part of the language."),
        ("(a", "Expression, position 3: expected ')', found the end."),
        ("-a", "Expression, position 2: expected a number, found 'a'."),
    ],
)
def test_error_names_position_and_expectation(text: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=re.escape(sentence)):
        parse_expression(text)


@pytest.mark.parametrize("text", ["(" * 3000, "1 if a == 1 else " * 500 + "2", "round(" * 100 + "a" + ")" * 100])
def test_deep_nesting_is_refused_without_overflow(text: str) -> None:
    with pytest.raises(UsageError, match=r"nested more than 40 deep"):
        parse_expression(text)


def test_long_sum_is_refused_without_overflow() -> None:
    with pytest.raises(UsageError, match=r"more than 160 operators in a row"):
        parse_expression("a + " * 3000 + "a")


def test_columns_include_those_of_the_condition() -> None:
    assert parse_expression("a if b > 1 else round(c / d)").columns == {"a", "b", "c", "d"}
    assert parse_expression("3").columns == frozenset()


@pytest.mark.parametrize(
    "text",
    ["a - (b - c)", "a - b - c", "(a + b) * c", "a / (b * c)", "(1 if a > 1 else 2) + 3", "a - -3"],
)
def test_brackets_are_kept_exactly_where_needed(text: str) -> None:
    assert str(parse_expression(text)) == text
