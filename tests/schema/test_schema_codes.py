from pathlib import Path

import numpy as np
import pytest

from medsynth.schema.codes import (
    CodeSystem,
    code_system_from_rows,
    icd9_category,
    load_code_system,
    shipped_code_system,
    shipped_code_systems,
)  # fmt: skip


@pytest.fixture
def icd9() -> CodeSystem:
    return shipped_code_system("icd9cm3")


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        ("250.83", "250"), ("250", "250"), ("250.", "250"), (" 250.0 ", "250"), ("008", "008"), ("8", "008"),
        ("41.1", "041"), ("E909.1", "E909"), ("e909", "E909"), ("E8859", "E885"), ("V57.1", "V57"), ("V3001", "V30"),
        ("25083", "250"), ("4019", "401"), (250, "250"), ("0", None), ("E99", None), ("V1", None), ("V92", None),
        ("1234.5", "123"), ("123456", None), ("", None), ("?", None), ("chest pain", None), ("٢٥٠", None),
        ("250.83x", None), ("-250", None),
    ],
)  # fmt: skip
def test_raw_icd9_code_is_kept_at_its_category(raw: str, code: str | None, icd9: CodeSystem) -> None:
    assert icd9.normalise(raw) == code


def test_icd9_space_is_whole(icd9: CodeSystem) -> None:
    numeric = {f"{number:03d}" for number in range(1, 1000)}
    supplementary = {f"V{number:02d}" for number in range(1, 92)}
    external = {f"E{number:03d}" for number in range(1000)}
    assert set(icd9.codes) == numeric | supplementary | external
    assert [level.name for level in icd9.levels] == ["block", "chapter"]


def test_levels_map_every_code_and_nest(icd9: CodeSystem) -> None:
    for level in icd9.levels:
        assert level.groups.dtype == np.int32
        assert level.groups.shape == (len(icd9.codes),)
        assert set(level.groups.tolist()) == set(range(len(level.labels)))
    block, chapter = icd9.levels
    assert len(set(zip(block.groups.tolist(), chapter.groups.tolist(), strict=True))) == len(block.labels)


def test_group_is_found_by_code_label_or_range(icd9: CodeSystem) -> None:
    assert icd9.resolve("250") == "250"
    pregnancy = icd9.resolve("630-679")
    assert pregnancy is not None
    assert pregnancy.endswith("(630-679)")
    assert icd9.resolve(pregnancy) == pregnancy
    assert icd9.resolve("631-632") is None
    members = [code for code, inside in zip(icd9.codes, icd9.members("630-679"), strict=True) if inside]
    assert members == [str(number) for number in range(630, 680)]
    assert icd9.members("250").sum() == 1
    assert icd9.members("nothing").sum() == 0


def test_range_means_the_finest_level_that_bears_it() -> None:
    rows = [
        {"code": "1", "block": "1-2 low", "chapter": "all (1-2)"},
        {"code": "2", "block": "1-2 low", "chapter": "all (1-2)"},
    ]
    assert code_system_from_rows("s", rows).resolve("1-2") == "1-2 low"


def test_other_systems_take_codes_as_written() -> None:
    system = code_system_from_rows("s", [{"code": "a.1"}, {"code": "A"}])
    assert system.normalise("a.1") == "a.1"
    assert system.normalise(" A ") == "A"
    assert system.normalise("a") is None
    assert system.levels == ()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "column 'code' is absent. Name the column of codes 'code'."),
        ("id,block\n1,2\n", "column 'code' is absent."),
        ("code,block\n1,\n", "a row lacks 'block'. Fill every cell."),
        ("code,block\n1\n", "a row lacks 'block'. Fill every cell."),
        ("code,block\n1,a\n1,b\n", "code '1' occurs twice. Remove one."),
        (
            "code,block,chapter\n1,a,x\n2,a,y\n",
            "a block lies in two of chapter. Order the columns from fine",
        ),
    ],
)
def test_bad_code_list_is_refused(text: str, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"Code list ('list'|'list.csv')") as caught:
        load_code_system(path)
    assert sentence in str(caught.value)


def test_code_list_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match=r"cannot be read"):
        load_code_system(path)


def test_code_list_is_read_once_until_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("code\na\n", encoding="utf-8")
    first = load_code_system(path)
    assert load_code_system(path) is first
    path.write_text("code\na\nb\n", encoding="utf-8")
    assert load_code_system(path).codes == ("a", "b")


def test_shipped_systems_are_listed_and_guarded() -> None:
    assert "icd9cm3" in shipped_code_systems()
    with pytest.raises(ValueError, match=r"is not a shipped code list"):
        shipped_code_system("../../etc/passwd")


def test_category_rule_alone() -> None:
    assert icd9_category("E999.9") == "E999"
    assert icd9_category("E1000") == "E100"
