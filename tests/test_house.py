"""House rules that a linter does not know: sizes, error handling, encodings, words."""

import ast
import re
import subprocess
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "medsynth"
MODULES = sorted(PACKAGE.rglob("*.py"))
MOST_LINES = 400
MOST_CODE_LINES = 40
MACHINE_PATHS = re.compile(r"(?<![\w.])/(?:work|home|Users|root|mnt|opt)/[\w.-]+|[A-Z]:\\Users\\")
REGISTRY_HOSTS = re.compile(
    r"\b(?:pypi\.org|files\.pythonhosted\.org|[\w.-]*artifactory[\w.-]*|[\w-]+\.jfrog\.io)\b",
    re.IGNORECASE,
)
LEGAL_CLAIMS = re.compile(r"\b(?:anonym(?:ous|i[sz]ed)|compliant)\b", re.IGNORECASE)
FORBIDDEN_NOTE = "TO" + "DO"


def _relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _tracked() -> list[Path]:
    """Files under version control, or every file of an unpacked source distribution."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return [path for path in ROOT.rglob("*") if path.is_file() and ".git" not in path.parts]
    return [ROOT / name for name in listed.stdout.decode().split("\0") if name]


def _texts() -> Iterator[tuple[Path, str]]:
    for path in _tracked():
        if path.is_file() and path.suffix not in {".parquet", ".gz"}:
            try:
                yield path, path.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue


def _found(pattern: re.Pattern[str], texts: Iterator[tuple[Path, str]]) -> list[str]:
    return [
        f"{_relative(path)}:{number}: {match.group()}"
        for path, text in texts
        for number, line in enumerate(text.splitlines(), start=1)
        if (match := pattern.search(line))
    ]


def code_lines(function: ast.FunctionDef | ast.AsyncFunctionDef, source: list[str]) -> int:
    """Lines of a function that hold code: no docstring, no blank line, no line of comment."""
    body = function.body
    documented = ast.get_docstring(function, clean=False) is not None
    inside = range(function.lineno, (function.end_lineno or function.lineno) + 1)
    skipped = range(body[0].lineno, (body[0].end_lineno or 0) + 1) if documented else range(0)
    lines = (source[number - 1].strip() for number in inside if number not in skipped)
    return sum(1 for line in lines if line and not line.startswith("#"))


def long_functions(text: str) -> list[str]:
    """Names of functions above the limit."""
    source = text.splitlines()
    functions = (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return [
        f"{function.name} ({code_lines(function, source)} lines)"
        for function in functions
        if code_lines(function, source) > MOST_CODE_LINES
    ]


def silent_handlers(text: str) -> list[int]:
    """Lines of handlers that swallow an error: their body does nothing."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ExceptHandler) and all(map(_does_nothing, node.body))
    ]


def _does_nothing(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Pass) or (
        isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    )


_TEXT_MODE = re.compile(r"[rwax]\+?t?\+?")


def calls_without_encoding(text: str) -> list[int]:
    """Lines that open, read or write a text file and leave its encoding to the platform."""
    calls = (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call))
    return [call.lineno for call in calls if _opens_text(call) and not _states_encoding(call)]


def _opens_text(call: ast.Call) -> bool:
    match call.func:
        case ast.Attribute(attr="read_text" | "write_text"):
            return True
        case ast.Name(id="open") | ast.Attribute(value=ast.Name(id="gzip"), attr="open"):
            return _is_text_mode(call, position=1)
        case ast.Attribute(value=ast.Name(id="os" | "Image" | "webbrowser"), attr="open"):
            return False
        case ast.Attribute(attr="open"):
            return _is_text_mode(call, position=0) and not _is_own_open(call)
    return False


def _is_text_mode(call: ast.Call, *, position: int) -> bool:
    mode: ast.expr | None = call.args[position] if len(call.args) > position else None
    mode = next((keyword.value for keyword in call.keywords if keyword.arg == "mode"), mode)
    if mode is None:
        return True
    return isinstance(mode, ast.Constant) and bool(_TEXT_MODE.fullmatch(str(mode.value)))


def _is_own_open(call: ast.Call) -> bool:
    """`Ledger.open(path)` is a class method of ours, not a file's."""
    owner = call.func.value if isinstance(call.func, ast.Attribute) else None
    return isinstance(owner, ast.Name) and owner.id[:1].isupper()


def _states_encoding(call: ast.Call) -> bool:
    stated = any(keyword.arg == "encoding" for keyword in call.keywords)
    return stated or any(
        isinstance(value, ast.Constant) and str(value.value).startswith("utf-8") for value in call.args
    )


def _complaints(find: Callable[[str], list[Any]], paths: Iterable[Path]) -> dict[str, list[Any]]:
    """What `find` finds, by file."""
    found = {_relative(path): find(path.read_text(encoding="utf-8")) for path in paths}
    return {name: complaints for name, complaints in found.items() if complaints}


def test_a_module_fits_in_four_hundred_lines() -> None:
    assert _complaints(lambda text: text.splitlines()[MOST_LINES:][-1:], MODULES) == {}


def test_a_function_fits_in_forty_lines_of_code() -> None:
    assert _complaints(long_functions, MODULES) == {}


def test_no_error_is_swallowed_in_silence() -> None:
    assert _complaints(silent_handlers, MODULES) == {}


def test_every_text_file_is_opened_with_its_encoding() -> None:
    files = [path for path in _tracked() if path.suffix == ".py" and path.is_file()]
    assert _complaints(calls_without_encoding, files) == {}


def test_nothing_is_left_to_do_in_a_comment() -> None:
    assert _found(re.compile(rf"\b{FORBIDDEN_NOTE}\b"), _texts()) == []


def test_no_tracked_file_names_a_path_of_one_machine() -> None:
    assert _found(MACHINE_PATHS, _others()) == []


def test_no_tracked_file_names_a_package_registry() -> None:
    assert _found(REGISTRY_HOSTS, _others()) == []


def _others() -> Iterator[tuple[Path, str]]:
    """Every text but this one, which must name what it forbids."""
    return ((path, text) for path, text in _texts() if path != Path(__file__).resolve())


def test_no_shipped_text_claims_what_only_a_lawyer_can() -> None:
    shipped = (
        (path, path.read_text(encoding="utf-8"))
        for path in PACKAGE.rglob("*")
        if path.suffix in {".py", ".j2", ".css", ".html"}
    )
    assert _found(LEGAL_CLAIMS, shipped) == []


def test_docstring_and_comments_do_not_count_as_code() -> None:
    text = 'def f():\n    """One.\n\n    Two.\n    """\n    # why\n\n    return 1\n'
    function = ast.parse(text).body[0]
    assert isinstance(function, ast.FunctionDef)
    assert code_lines(function, text.splitlines()) == 2


def test_a_function_of_forty_one_lines_is_found() -> None:
    assert long_functions("def f():\n" + "    x = 1\n" * 40) == ["f (41 lines)"]
    assert long_functions("def f():\n" + "    x = 1\n" * 39) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("open('a')", [1]),
        ("open('a', 'w')", [1]),
        ("open('a', 'rb')", []),
        ("open('a', encoding='utf-8')", []),
        ("gzip.open('a', 'rt')", [1]),
        ("path.open()", [1]),
        ("path.open('wb')", []),
        ("path.read_text()", [1]),
        ("path.write_text('x', encoding='utf-8')", []),
        ("path.read_text('utf-8')", []),
        ("Ledger.open(path)", []),
        ("os.open(path, flags)", []),
    ],
)
def test_a_call_that_leaves_the_encoding_to_the_platform_is_found(text: str, found: list[int]) -> None:
    assert calls_without_encoding(text) == found


def test_a_swallowed_error_is_found() -> None:
    assert silent_handlers("try:\n    f()\nexcept ValueError:\n    pass\n") == [3]
    assert silent_handlers("try:\n    f()\nexcept ValueError:\n    g()\n") == []
