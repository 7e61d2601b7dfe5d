import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from medsynth.report import report_files
from medsynth.score import Edition

HERE = Path(__file__).parent
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-default-apps", "--disable-extensions", "--hide-scrollbars",
)  # fmt: skip
Chromium = Callable[..., str]


@pytest.fixture(scope="session")
def made() -> ModuleType:
    """The factory of made-up contents; loaded by path, for tests are no package."""
    spec = importlib.util.spec_from_file_location("report_example", HERE / "example_content.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def rendered(made: ModuleType) -> dict[str, dict[str, bytes]]:
    """The files of the example's two editions, and of the hostile one's; rendered once."""
    contents = {"": made.example(), "hostile ": made.example(hostile=True)}
    return {
        kind + edition: dict(report_files(content, edition))
        for kind, content in contents.items()
        for edition in Edition
    }


@pytest.fixture(scope="session")
def pages(rendered: dict[str, dict[str, bytes]]) -> dict[str, str]:
    """The pages alone."""
    return {name: files["report.html"].decode("utf-8") for name, files in rendered.items()}


@pytest.fixture(scope="session")
def written(pages: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the pages of the hostile example, for the browser."""
    folder = tmp_path_factory.mktemp("out")
    for edition in Edition:
        (folder / edition).mkdir()
        (folder / edition / "report.html").write_text(pages[f"hostile {edition}"], "utf-8")
    return folder


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Chromium:
    """Runs Debian's Chromium headless with a fresh profile; skips where there is none."""
    program = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if program is None:
        pytest.skip("no Chromium here: apt-get install chromium, or set CHROMIUM to its path")

    def run(*arguments: str) -> str:
        profile = tmp_path_factory.mktemp("profile")
        command = [program, *FLAGS, f"--user-data-dir={profile}", *arguments]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=60, check=True)
        return done.stdout.decode("utf-8")

    return run
