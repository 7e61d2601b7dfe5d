"""The shipped code lists are whole, nested, and those of their documents."""

import csv
import json
import re
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CODES = ROOT / "schemas" / "codes"
DOCUMENTATION = Path(__file__).parent / "documentation"


def code_list(name: str) -> list[dict[str, str]]:
    with (CODES / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def place(code: str) -> tuple[str, int]:
    return re.sub(r"\d", "", code), int(re.sub(r"\D", "", code))


def within(code: str, span: str) -> bool:
    first, _, last = span.partition("-")
    return place(first) <= place(code) <= place(last or first)


def test_icd9_space_is_complete() -> None:
    expected = [f"{n:03d}" for n in range(1, 1000)]
    expected += [f"V{n:02d}" for n in range(1, 92)] + [f"E{n:03d}" for n in range(1000)]
    assert [row["code"] for row in code_list("icd9cm3")] == expected
    assert len(expected) == 999 + 91 + 1000


def test_every_icd9_code_lies_in_the_range_of_its_block_and_chapter() -> None:
    for row in code_list("icd9cm3"):
        chapter = re.search(r"\(([^()]*)\)$", row["chapter"])
        assert chapter is not None
        assert within(row["code"], row["block"].split(" ")[0])
        assert within(row["code"], chapter[1])


def test_icd9_blocks_nest_inside_chapters() -> None:
    chapters = defaultdict(set)
    for row in code_list("icd9cm3"):
        chapters[row["block"]].add(row["chapter"])
    assert all(len(holders) == 1 for holders in chapters.values())
    assert len({row["chapter"] for row in code_list("icd9cm3")}) == 17 + 2


def test_icd9_blocks_hold_every_code_of_their_range() -> None:
    blocks = defaultdict(list)
    for row in code_list("icd9cm3"):
        blocks[row["block"]].append(row["code"])
    for label, codes in blocks.items():
        span = label.split(" ")[0]
        if "Unassigned" not in label:
            first, _, last = span.partition("-")
            assert codes[0] == first
            assert codes[-1] == (last or first)


def test_icd9_titles_belong_to_assigned_categories() -> None:
    titled = [row for row in code_list("icd9cm3") if row["title"]]
    assert len(titled) == 1234
    assert not any("Unassigned" in row["block"] for row in titled)


def test_icd9_known_categories_lie_where_the_book_prints_them() -> None:
    rows = {row["code"]: row for row in code_list("icd9cm3")}
    assert rows["250"]["title"] == "Diabetes mellitus"
    assert rows["250"]["block"] == "249-259 Diseases of other endocrine glands"
    assert rows["428"]["block"] == "420-429 Other forms of heart disease"
    assert rows["V57"]["chapter"].startswith("V Supplementary classification of factors")
    assert rows["E909"]["chapter"].startswith("E Supplementary classification of external")
    assert rows["650"]["chapter"].startswith("11 Complications of pregnancy")
    assert rows["019"]["block"] == "001-139 Unassigned categories"


def test_industry_codes_are_those_of_the_published_schema() -> None:
    published = json.loads((DOCUMENTATION / "national2019.json").read_text(encoding="utf-8"))
    values = [code for code in published["schema"]["INDP"]["values"] if code != "N"]
    assert [row["code"] for row in code_list("indp")] == values


def test_industry_blocks_are_the_categories_of_the_dictionary() -> None:
    dictionary = json.loads((DOCUMENTATION / "data_dictionary.json").read_text(encoding="utf-8"))
    documented = {
        f"{number} {text.replace(':', '')}"
        for number, text in dictionary["INDP_CAT"]["values"].items()
        if number != "N"
    }
    assert {row["block"] for row in code_list("indp")} == documented
