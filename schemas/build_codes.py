"""Writes the public code lists in `schemas/codes/`; never reads a row of data.

ICD-9-CM (public domain, NCHS and CMS): every code string of the three-character space 001-999,
V01-V91 and E000-E999, with its block, its chapter, and the title where the category is in use.
Categories that ICD-9-CM leaves unassigned stay in the list (old records and typing errors carry
them); they form one block "Unassigned categories" in each chapter that has some.

INDP (United States Census Bureau, industry recode of the American Community Survey 2019): the codes
of NIST's published schema of the excerpt, grouped as the PUMS data dictionary groups them.

Command: python schemas/build_codes.py
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

GOODS, SERVICES = "Goods-producing", "Service-providing"
# Sections of the industry recode: first and last code with a prefix of the PUMS data dictionary
# 2019 (AGR, EXT, ...), the value and text of INDP_CAT in NIST's data dictionary, and the division
# of industries by the Bureau of Labor Statistics.
INDUSTRIES = (
    (170, 290, "0 AGR Agriculture, Forestry, Fishing and Hunting", GOODS),
    (370, 490, "1 EXT Mining, Quarrying, and Oil and Gas Extraction", GOODS),
    (570, 690, "2 UTL Utilities", SERVICES),
    (770, 770, "3 CON Construction", GOODS),
    (1070, 3990, "4 MFG Manufacturing", GOODS),
    (4070, 4590, "5 WHL Wholesale Trade", SERVICES),
    (4670, 5790, "6 RET Retail Trade", SERVICES),
    (6070, 6390, "7 TRN Transportation and Warehousing", SERVICES),
    (6470, 6780, "8 INF Information", SERVICES),
    (6870, 7190, "9 FIN Finance, Insurance, Real Estate", SERVICES),
    (7270, 7790, "10 PRF Professional, Scientific and Technical Services", SERVICES),
    (7860, 7890, "11 EDU Educational Services", SERVICES),
    (7970, 8290, "12 MED Health Care", SERVICES),
    (8370, 8470, "13 SCA Social Assistance", SERVICES),
    (
        8560,
        8690,
        "14 ENT Arts, Entertainment, Accommodation, Food Services and Recreation",
        SERVICES,
    ),
    (8770, 9290, "15 SRV Other Services", SERVICES),
    (9370, 9590, "16 ADM Government, Public Administration", SERVICES),
    (9670, 9870, "17 MIL Military", "Armed Forces"),
    (9920, 9920, "18 UNEMPLOYED", "Unemployed"),
)

HERE = Path(__file__).resolve().parent
CODES = HERE / "codes"
SOURCES = CODES / "sources"
FIELDS = ("code", "block", "chapter", "title")

Row = tuple[str, str, str, str]


@dataclass(frozen=True, kw_only=True)
class Section:
    """A printed range of categories, with the label it carries in the code list."""

    first: str
    last: str
    label: str

    def holds(self, code: str) -> bool:
        """Tells whether the code lies in the range."""
        return place(self.first) <= place(code) <= place(self.last)


def place(code: str) -> tuple[str, int]:
    """Orders codes as the book prints them: digits, then V, then E."""
    letter = code[0] if code[0] in "VE" else ""
    return {"": "0", "V": "1", "E": "2"}[letter], int(code[len(letter) :])


def icd9_space() -> list[str]:
    """Returns the whole three-character space, assigned or not."""
    digits = [f"{n:03d}" for n in range(1, 1000)]
    return digits + [f"V{n:02d}" for n in range(1, 92)] + [f"E{n:03d}" for n in range(1000)]


def section(span: str, label: str) -> Section:
    """Builds a section from a printed range such as `001-009` or `042`."""
    first, _, last = span.partition("-")
    return Section(first=first, last=last or first, label=label)


def icd9_sections() -> tuple[list[Section], list[Section]]:
    """Reads (chapters, blocks) from the printed list."""
    chapters, blocks = [], []
    for line in (SOURCES / "icd9cm_sections.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("# chapter\t"):
            _, number, span, title = line.split("\t")
            chapters.append(section(span, f"{number} {title} ({span})"))
        elif not line.startswith("#"):
            blocks.append(section(line.split(" ", 1)[0], line))
    return chapters, blocks


def icd9_titles() -> dict[str, str]:
    """Reads the titles of the categories in use."""
    lines = (SOURCES / "icd9cm_titles.tsv").read_text(encoding="utf-8").splitlines()
    pairs = [line.split("\t") for line in lines if not line.startswith("#")]
    return {code: title for code, title in pairs}


def icd9_rows() -> Iterator[Row]:
    """Yields every code of the space with its block, chapter and title."""
    chapters, blocks = icd9_sections()
    titles = icd9_titles()
    for code in icd9_space():
        chapter = next(c for c in chapters if c.holds(code))
        unassigned = f"{chapter.first}-{chapter.last} Unassigned categories"
        block = next((b.label for b in blocks if b.holds(code)), unassigned)
        yield code, block, chapter.label, titles.get(code, "")


def indp_rows() -> Iterator[Row]:
    """Yields every industry code with its category and division; titles are not sourced."""
    lines = (SOURCES / "indp_codes.txt").read_text(encoding="utf-8").splitlines()
    for code in (line for line in lines if not line.startswith("#")):
        ((block, chapter),) = (
            (label, division) for first, last, label, division in INDUSTRIES if first <= int(code) <= last
        )
        yield code, block, chapter, ""


def write(name: str, rows: Iterator[Row]) -> None:
    """Writes one code list."""
    with (CODES / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(FIELDS)
        table.writerows(rows)


def main() -> None:
    """Writes all code lists."""
    write("icd9cm3", icd9_rows())
    write("indp", indp_rows())


if __name__ == "__main__":
    main()
