"""The tools that run side by side, and the one way to run one.

Every tool lives in an environment of its own, made from `benchmarks/peers/NAME.txt`, and answers through
`benchmarks/peers/with_LIBRARY.py` (see `contract.py`): a process of its own with a time limit.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from bench_tasks import Codes
from record import ROOT

PEERS = ROOT / "benchmarks" / "peers"
TIME_LIMIT = 1800.0
OWN = "medsynth"
DONE, LATE, FAILED = "finished", "did not finish", "failed"


@dataclass(frozen=True, kw_only=True)
class Tool:
    """One mechanism of one library at one setting.

    Attributes:
      library: Names the adapter and the environment; "medsynth" runs the checkout in this environment.
      mechanism: Of the library.
      settings: Where not the library's defaults; recorded with every run.
      private: False for a yardstick without privacy, which has no epsilon.
      persons: True if it takes all rows of a person with their weights.
    """

    library: str
    mechanism: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    private: bool = True
    persons: bool = False


TOOLS: dict[str, Tool] = {
    "medsynth": Tool(library="medsynth", mechanism="adaptive"),
    "medsynth_persons": Tool(library="medsynth", mechanism="adaptive", persons=True),
    # What adaptive must never fall behind.
    "medsynth_independent": Tool(library="medsynth", mechanism="independent"),
    # Cliques of 1e5 cells and 2,000 steps: its defaults of 1e7 and 10,000 need hours here.
    "dpsynth_swift": Tool(
        library="dpsynth", mechanism="swift", settings={"max_clique_size": 100_000, "pgm_iters": 2000}
    ),
    # The library merges cells below three noise deviations only if told to: better at epsilon 1 and above, not at 0.1.
    "dpsynth_swift_compressed": Tool(
        library="dpsynth",
        mechanism="swift",
        settings={"max_clique_size": 100_000, "pgm_iters": 2000, "compress_columns": True},
    ),
    "dpsynth_swift_default": Tool(library="dpsynth", mechanism="swift"),
    "dpsynth_aim": Tool(library="dpsynth", mechanism="aim"),
    "dpsynth_aim_small": Tool(library="dpsynth", mechanism="aim", settings={"max_model_size": 1, "max_rounds": 28}),
    "dpmm_aim": Tool(library="dpmm", mechanism="aim"),
    "dpmm_aim_small": Tool(library="dpmm", mechanism="aim", settings={"max_model_size": 5}),
    # The library merges rare cells unless told not to: better at epsilon 0.1 without.
    "dpmm_aim_small_uncompressed": Tool(
        library="dpmm", mechanism="aim", settings={"max_model_size": 5, "compress": False}
    ),
    "dpmm_mst": Tool(library="dpmm", mechanism="mst"),
    "dpmm_privbayes": Tool(library="dpmm", mechanism="priv-bayes"),
    "opendp_aim": Tool(library="opendp", mechanism="aim", settings={"queries": 2}),
    "opendp_aim_small": Tool(library="opendp", mechanism="aim", settings={"queries": 2, "max_size": 1.0, "rounds": 28}),
    "opendp_mst": Tool(library="opendp", mechanism="mst"),
    "sdv_copula": Tool(library="sdv", mechanism="copula", private=False),
    "sdv_ctgan": Tool(library="sdv", mechanism="ctgan", settings={"epochs": 30, "enable_gpu": False}, private=False),
}
"""`_small` is the setting at which a mechanism finishes where its defaults do not."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where environments and working files lie; none of it is part of the repository.

    Attributes:
      peers: Folder of environments, one per library.
      work: Folder of tables, requests and synthetic rows.
      adapters: Folder of the adapters.
    """

    peers: Path
    work: Path
    adapters: Path = PEERS

    def python(self, library: str) -> Path:
        """The interpreter of a library's environment."""
        if library == OWN:
            return Path(sys.executable)
        folder = "Scripts" if os.name == "nt" else "bin"
        return self.peers / library / folder / "python"


def run(tool: Tool, table: Path, request: Mapping[str, Any], out: Path, place: Place, limit: float) -> dict[str, Any]:
    """Runs a tool in its process.

    Returns:
      `status`, with seconds and memory if it finished, the time limit if it did not, its last words if it failed.
      The synthetic codes lie in OUT.
    """
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    asked = {"mechanism": tool.mechanism, "settings": dict(tool.settings)} | dict(request)
    (out / "request.json").write_text(json.dumps(asked), encoding="utf-8")
    python = place.python(tool.library)
    if not python.exists():
        return {"status": FAILED, "reason": f"no environment for {tool.library}: see benchmarks/peers/README.md"}
    adapter = place.adapters / f"with_{tool.library}.py"
    command = [*_gently(), str(python), str(adapter), str(table), str(out / "request.json"), str(out)]
    began = time.perf_counter()
    code = _finished(command, out / "log.txt", limit)
    elapsed = time.perf_counter() - began
    if code is None:
        return {"status": LATE, "limit_seconds": limit}
    if code != 0 or not (out / "run.json").exists():
        return {"status": FAILED, "reason": _last_words(out / "log.txt"), "process_seconds": elapsed}
    answer = json.loads((out / "run.json").read_text(encoding="utf-8"))
    return {"status": DONE, **answer, "process_seconds": elapsed}


def synthetic_of(out: Path) -> Codes:
    """What a finished run drew."""
    return np.load(out / "synthetic.npy")


def _gently() -> list[str]:
    return ["nice", "-n", "10"] if shutil.which("nice") else []


def _finished(command: list[str], log: Path, limit: float) -> int | None:
    """Exit code; None past the limit, when the process and its children are ended."""
    # Adapters import their contract from beside them, medsynth from this checkout; nothing else comes from outside.
    inherited = {key: value for key, value in os.environ.items() if key not in {"PYTHONPATH", "PYTHONSAFEPATH"}}
    own = {"PYTHONPATH": str(ROOT)} if f"with_{OWN}.py" in " ".join(command) else {}
    environment = inherited | own | {"PYTHONWARNINGS": "ignore", "PYTHONUTF8": "1"}
    with log.open("w", encoding="utf-8") as file:
        process = subprocess.Popen(
            command, stdout=file, stderr=subprocess.STDOUT, env=environment, start_new_session=True
        )
        try:
            return process.wait(limit)
        except subprocess.TimeoutExpired:
            return None
        finally:
            _end(process)


def _end(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is not None:
        return
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()


def _last_words(log: Path) -> str:
    """What a failed process wrote last, from its exception on, without paths."""
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    named = [number for number, line in enumerate(lines) if line.partition(":")[0].endswith(("Error", "Exception"))]
    words = " ".join(lines[named[-1] if named else -1 :]).split()
    return " ".join(word for word in words if "/" not in word and "\\" not in word)[:200]
