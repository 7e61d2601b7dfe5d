"""The tests run against what a user would install, and its public names are the ones promised."""

import os
import sysconfig
from pathlib import Path

import pytest

import medsynth

ROOT = Path(__file__).resolve().parents[1]
PUBLIC = {
    "Guarantee",
    "Ledger",
    "Schema",
    "Synthesizer",
    "__version__",
    "attack",
    "evaluate",
    "load_schema",
    "verify",
}


@pytest.mark.skipif(os.environ.get("CI", "").lower() != "true", reason="CI is not true: a checkout may be edited")
def test_the_installed_copy_is_under_test() -> None:
    imported = Path(medsynth.__file__).resolve()
    assert imported.is_relative_to(Path(sysconfig.get_path("purelib")).resolve())
    assert not imported.is_relative_to(ROOT / "medsynth")


def test_the_public_names_are_the_promised_ones() -> None:
    assert set(medsynth.__all__) == PUBLIC


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_a_public_name_resolves_to_something_documented(name: str) -> None:
    found = getattr(medsynth, name)
    assert isinstance(found, str) or found.__doc__


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Syntheziser'"):
        _ = medsynth.Syntheziser


def test_version_agrees_with_the_distribution() -> None:
    from importlib.metadata import PackageNotFoundError, version

    try:
        installed = version("medsynth-dp")
    except PackageNotFoundError:
        pytest.skip("medsynth-dp is not installed: the source folder is under test")
    assert medsynth.__version__ == installed


def test_shipped_schemas_and_demo_data_come_with_the_package() -> None:
    assert medsynth.load_schema("diabetes130").modelled
    folder = Path(medsynth.__file__).parent / "data" / "diabetes130"
    assert {path.name for path in folder.iterdir()} >= {
        "LICENSE.txt",
        "README.md",
        "holdout.parquet",
        "train.parquet",
    }
