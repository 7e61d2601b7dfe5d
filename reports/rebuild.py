"""Rebuilds the worked examples: `python reports/rebuild.py`.

Runs `medsynth demo` and keeps both editions of its report, then the collapse study of the benchmarks and keeps its
page. What is internal stands here only because Diabetes-130 is public data; never publish your own.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
EXAMPLE = HERE / "diabetes130-adaptive-epsilon1"
STUDY = HERE / "diabetes130-collapse-epsilon1"


def main() -> None:
    """Runs the demo in a temporary folder and copies its reports, then runs the study."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "demo"
        command = [sys.executable, "-c", "from medsynth.cli import main; main()", "demo", "-o", str(out)]
        subprocess.run(command, check=True)
        for edition in ("internal", "shareable"):
            target = EXAMPLE / edition
            shutil.rmtree(target, ignore_errors=True)
            target.mkdir(parents=True)
            for name in ("report.json", "report.html"):
                shutil.copyfile(out / edition / name, target / name)
    study = HERE.parent / "benchmarks" / "collapse.py"
    subprocess.run([sys.executable, str(study), "--page", str(STUDY)], check=True)


if __name__ == "__main__":
    main()
