"""What a command leaves behind: the folder of a run, and the result that is printed."""

import json
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import chain, count
from pathlib import Path
from typing import Any

from medsynth.ending import Note
from medsynth.errors import InputError, MedsynthError, OutputError, UsageError
from medsynth.privacy.budget_file import lock_path
from medsynth.writing import OWNER_ONLY, make_folder, replace_file, require_plain

_WRITTEN = (
    "model.medsynth",
    "synthetic.parquet",
    "shareable/croissant.json",
    "internal/scores.json",
    "internal/report.json",
    "internal/report.html",
    "shareable/report.json",
    "shareable/report.html",
    "internal/run.json",
)
"""The files of a run. In an exchange the record comes last and goes first: without it a folder is no run."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a command found or wrote.

    Attributes:
      values: Plain values, printed by `--json`.
      lines: The same for a reader.
      ok: False where the command found something that a person must act on.
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    lines: tuple[str, ...] = ()
    ok: bool = True

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {"ok": self.ok, **self.values}

    def text(self) -> str:
        """Lines for a reader."""
        return "\n".join(self.lines)


@dataclass(frozen=True, kw_only=True)
class RunFolder:
    """OUT: model.medsynth, synthetic.parquet, internal/ (owner only) and shareable/."""

    path: Path

    @classmethod
    def new(cls, path: Path, read: Mapping[str, Any], ledger: Path | None, *, overwrite: bool) -> "RunFolder":
        """The folder of a new run, apart from all that is read, and free.

        Raises:
          UsageError, OutputError: As `require_apart` and `require_free` say.
        """
        folder = cls(path=path)
        require_apart(read, folder.places, ledger=ledger)
        folder.require_free(overwrite=overwrite)
        return folder

    @property
    def model(self) -> Path:
        """The fitted model; may be shared."""
        return self.path / "model.medsynth"

    @property
    def synthetic(self) -> Path:
        """The synthetic table; may be shared."""
        return self.path / "synthetic.parquet"

    @property
    def card(self) -> Path:
        """The dataset card of the table; may be shared."""
        return self.shareable / "croissant.json"

    @property
    def internal(self) -> Path:
        """Statistics of real persons without a guarantee."""
        return self.path / "internal"

    @property
    def shareable(self) -> Path:
        """The report's shareable edition."""
        return self.path / "shareable"

    @property
    def files(self) -> tuple[Path, ...]:
        """What a run writes, and all that the next one replaces."""
        return tuple(self.path / name for name in _WRITTEN)

    @property
    def next(self) -> "RunFolder":
        """Where a run writes while an earlier one stands here."""
        return RunFolder(path=self.path / ".medsynth-next.part")

    @property
    def aside(self) -> "RunFolder":
        """Where the files of the earlier run lie while the two are exchanged."""
        return RunFolder(path=self.next.path / "earlier")

    @property
    def places(self) -> tuple[Path, ...]:
        """Where nothing may lie that a command reads: it could be replaced, or be shared by mistake."""
        return (*self.files, self.shareable, self.next.path)

    def require_free(self, *, overwrite: bool) -> None:
        """Refuses a folder that holds something, unless it is to be replaced; leaves no trace.

        Raises:
          OutputError: If it is not empty, or cannot be made, or its files cannot be replaced.
        """
        for folder in (self.path, self.internal, self.shareable):
            if folder.exists() and not folder.is_dir():
                raise OutputError(f"{folder}: is a file. Choose another folder.")
        for file in self.files:
            require_plain(file)
        require_writable(self.path)
        if self.path.exists() and any(self.path.iterdir()) and not overwrite:
            raise OutputError(f"{self.path}: already exists. Choose another folder, or add --overwrite.")

    def require_no_run(self) -> None:
        """Refuses a folder that holds a run's model or table, for the scores of a table made elsewhere.

        Raises:
          OutputError: Naming the folder.
        """
        for folder in (self, self.next, self.aside):
            if folder.model.exists() or folder.synthetic.exists():
                raise OutputError(
                    f"{self.path}: holds the model or table of a run, whose scores are not those of --synthetic. "
                    "Choose another folder."
                )

    def make(self) -> None:
        """Makes the folder and its internal part.

        Raises:
          OutputError: If it cannot be made.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self.internal.mkdir(exist_ok=True, mode=0o700)
            self.internal.chmod(0o700)
        except OSError as error:
            raise OutputError(
                f"{self.path}: cannot be made ({error.strerror}). Choose a folder you may write to."
            ) from None

    @contextmanager
    def renewed(self) -> Iterator["RunFolder"]:
        """Gives the folder that a new run writes into; an earlier run stays whole until the new one is.

        Where no run stands, that is this folder: a model, once paid for, outlives what fails after it. Where one
        stands, it is a folder inside, whose files take the place of the earlier ones when the block ends; if it
        fails, only the model is kept, as `unfinished.medsynth`. A new run writes every file that stands here.

        Raises:
          OutputError: If a folder cannot be made, or a file not be replaced; the earlier run stands then.
        """
        self.make()
        self.recover()
        if not any(file.exists() for file in self.files):
            yield self
            return
        try:
            self.next.make()
            yield self.next
            self._take()
        except BaseException as error:
            self._give_up(error)
            raise
        shutil.rmtree(self.next.path, ignore_errors=True)

    def recover(self) -> None:
        """Takes up after a run that was killed: puts back what it moved, keeps the model that was paid for.

        Raises:
          OutputError: If a file cannot be put back; it stays where it is.
        """
        self._undo()
        if self._cut_short():
            raise OutputError(
                f"{self.path}: files of the earlier run are in {self.aside.path} and cannot be put back. "
                "Close the programs that hold the files of this folder, then repeat."
            )

    def _take(self) -> None:
        """Puts the files of a new run in place of the earlier ones."""
        new, old = self.next, self.aside
        for folder in (self, old):
            folder.make()
            make_folder(folder.shareable)
        moves = [move for move in zip(self.files, old.files, strict=True) if move[0].exists()][::-1]
        moves += [move for move in zip(new.files, self.files, strict=True) if move[0].exists()]
        # From here on nothing is undone: what was moved aside has another name, under which it is deleted.
        moves.append((old.path, new.path / "replaced"))
        try:
            for source, target in moves:
                source.replace(target)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise OutputError(
                f"{self.path}: what stands there cannot be replaced ({reason}). "
                "Close the programs that hold its files, or choose another folder."
            ) from error

    def _cut_short(self) -> bool:
        """Whether an exchange began and was neither ended nor undone."""
        return any(file.exists() for file in self.aside.files)

    def _undo(self, error: BaseException | None = None) -> None:
        """Undoes an exchange as far as files can be moved; then keeps the new model, says so, and deletes the rest."""
        new = self.next
        if self._cut_short():
            moved = [*zip(self.files, new.files, strict=True)][::-1]
            for source, target in (*moved, *zip(self.aside.files, self.files, strict=True)):
                with suppress(OSError):
                    if source.exists() and not target.exists():
                        source.replace(target)
        if self._cut_short():
            return
        if new.model.is_file():
            names = chain(["unfinished.medsynth"], (f"unfinished-{number}.medsynth" for number in count(2)))
            place = next(place for name in names if not (place := self.path / name).exists())
            with suppress(OSError):
                new.model.replace(place)
                if error is not None:
                    error.add_note(Note(f"The model just fitted is paid for and kept: {place}."))
        if not new.model.exists():
            shutil.rmtree(new.path, ignore_errors=True)

    def _give_up(self, error: BaseException) -> None:
        """Undoes what a failed run began, and says where the error is read what is left of it."""
        try:
            self._undo(error)
        except (KeyboardInterrupt, SystemExit):  # a second one must not leave half of either run
            self._undo(error)
        if self._cut_short():
            error.add_note(Note(f"Files of the earlier run are in {self.aside.path}; the next run puts them back."))

    def write_internal(self, name: str, values: Mapping[str, Any]) -> None:
        """Writes a JSON file only its owner may read."""
        text = json.dumps(values, indent=2, sort_keys=True) + "\n"
        replace_file(self.internal / name, text.encode(), mode=OWNER_ONLY)

    def read_internal(self, name: str) -> dict[str, Any]:
        """Reads a JSON file of an earlier step.

        Raises:
          InputError: If it is absent or damaged.
        """
        path = self.internal / name
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            raise InputError(
                f"{path}: absent or damaged. Give the OUT folder of a finished `medsynth run`, or run it again."
            ) from None
        if not isinstance(values, dict):
            raise InputError(f"{path}: not what `medsynth run` writes. Run it again.")
        return values


def require_apart(
    inputs: Mapping[str, str | Path | None], outputs: Iterable[Path], *, ledger: Path | None = None
) -> None:
    """Refuses to read from where a command writes, before anything is opened; leaves no trace.

    Args:
      inputs: Files that are read, by the option that names them.
      outputs: Files and folders that are written, replaced or deleted.
      ledger: Budget file, which is both.

    Raises:
      UsageError: Naming the input and the place.
    """
    outputs = tuple(outputs)
    budget = () if ledger is None else (ledger, lock_path(ledger))
    pairs = [(option, path, place) for option, path in inputs.items() for place in (*outputs, *budget)]
    pairs += [("--ledger", path, place) for path in budget for place in outputs]
    for option, path, place in pairs:
        if path is not None and _lies_in(Path(path), place):
            raise UsageError(
                f"{option} {path}: is or lies in {place}, which this command writes. "
                "Name another path for one of the two."
            )


def _lies_in(path: Path, place: Path) -> bool:
    """Whether a path is a place or below it, under whatever names."""
    found, where = _resolved(path, InputError), _resolved(place, OutputError)
    if found == where or where in found.parents:
        return True
    return path.exists() and place.exists() and path.samefile(place)


def _resolved(path: Path, error: type[MedsynthError]) -> Path:
    with suppress(OSError, RuntimeError):  # Python 3.11 and 3.12 raise at a loop, later ones stop at it
        found = path.resolve()
        if not found.is_symlink():
            return found
    raise error(f"{path}: is a link that leads back to itself. Name another path.")


def require_schema_name(path: Path) -> None:
    """Refuses a file name that does not say that it is a schema, so that no other file is replaced.

    Raises:
      UsageError: Saying what is allowed.
    """
    if not path.name.endswith((".yaml", ".yml")):
        raise UsageError(f"{path.name}: schemas are written as .yaml or .yml. Change the ending.")


def require_model_name(path: Path) -> None:
    """Refuses a file name that does not say that it is a model.

    Raises:
      UsageError: Saying what is allowed.
    """
    if not path.name.endswith(".medsynth"):
        raise UsageError(f"{path.name}: models are written as .medsynth. Change the ending.")


def require_free_file(path: Path, *, overwrite: bool) -> None:
    """Refuses to replace a file unless told to, and a place where none can be written; leaves no trace.

    Raises:
      OutputError: If it stands there, or its folder cannot be written to.
    """
    require_plain(path)
    if path.exists() and not overwrite:
        raise OutputError(f"{path}: already exists. Choose another name, or add --overwrite.")
    require_writable(path.parent)


def require_writable(folder: Path) -> None:
    """Tries whether a folder, or the nearest one above it that exists, takes a file; leaves no trace.

    Raises:
      OutputError: If it does not. Better before a budget is spent than after.
    """
    nearest = folder.absolute()
    while not nearest.exists():
        nearest = nearest.parent
    try:
        with tempfile.TemporaryFile(dir=nearest):
            pass
    except OSError as error:
        raise OutputError(
            f"{folder}: cannot be written to ({error.strerror}). Choose a folder you may write to."
        ) from None
