"""Where the public schemas lie: inside the installed package, or beside it in a source checkout."""

from pathlib import Path


def schemas_folder() -> Path:
    """The folder of shipped schemas; `codes/` inside it holds the code lists."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "schemas"
    return installed if installed.is_dir() else package.parent / "schemas"


def shipped_schemas() -> tuple[str, ...]:
    """Names that `load_schema` knows without a path."""
    return tuple(sorted(path.stem for path in schemas_folder().glob("*.yaml")))
