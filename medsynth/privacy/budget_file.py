"""The lines of a privacy budget, chained by hash, in memory or in a file programs share.

A file is only ever appended to. Each line is canonical JSON whose `chain` field is the SHA-256 of
the chain value before it and of the line's own content: an edited, removed or inserted line
breaks it.
"""

import hashlib
import json
import os
import re
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from medsynth.errors import InputError, OutputError

Line = Mapping[str, Any]
Decide = Callable[[Sequence[Line]], Line]

LOCK_SECONDS: Final = 60.0
_RESERVED: Final = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


def budget_path(data: str | Path, population: str) -> Path:
    """Where the budget of a population lies by default: beside the data, under its name.

    >>> budget_path("study/visits.parquet", "diabetes130").name
    'diabetes130.ledger.jsonl'
    >>> budget_path("study/visits.parquet", "Ward 3/4").name
    'Ward-3-4-74432c97.ledger.jsonl'
    """
    safe = re.sub(r"[^A-Za-z0-9_-]+", "-", population)[:80]
    if safe != population or _RESERVED.fullmatch(safe):
        safe = f"{safe}-{hashlib.sha256(population.encode()).hexdigest()[:8]}"
    return Path(data).parent / f"{safe}.ledger.jsonl"


def lock_path(path: str | Path) -> Path:
    """The lock file of a budget file."""
    return Path(f"{path}.lock")


class MemoryBook:
    """Lines kept for the life of the process.

    Args:
      header: The first line.
    """

    name = "Ledger in memory"

    def __init__(self, header: Line) -> None:
        self._lines = [header]
        self._head = _chain("", header)
        self._lock = threading.RLock()

    def reopened(self) -> "MemoryBook":
        """The same lines, read and verified anew."""
        return self

    def lines(self) -> tuple[Line, ...]:
        """All lines so far, oldest first."""
        with self._held():
            return tuple(self._lines)

    def head(self) -> str:
        """The chain value of the last line; kept elsewhere, it shows a restored old copy."""
        with self._held():
            return self._head

    def append(self, decide: Decide) -> Line:
        """Adds the line that `decide` makes of all lines so far; nothing is added if it raises.

        Nobody can add a line between the moment `decide` looks and the moment its line is stored.
        """
        with self._held():
            body = dict(decide(tuple(self._lines)))
            head = _chain(self._head, body)
            self._store(_canonical({**body, "chain": head}) + b"\n")
            self._lines.append(body)
            self._head = head
            return body

    @contextmanager
    def _held(self) -> Iterator[None]:
        with self._lock:
            yield

    def _store(self, line: bytes) -> None:
        """Makes the line outlive the process; memory does not."""


class FileBook(MemoryBook):
    """Lines in a file, guarded by a lock file beside it, readable by the owner alone.

    Args:
      path: The file.
      header: Makes the first line of a new file; None to require that the file exists.

    Raises:
      InputError: If the file is missing and must exist, or is not a whole chain.
      OutputError: If it cannot be written, or another program holds it for `LOCK_SECONDS`.
    """

    def __init__(self, path: str | Path, header: Callable[[], Line] | None = None) -> None:
        self.path = Path(path)
        self.name = str(path)
        self._lines: list[Line] = []
        self._head = ""
        self._offset = 0
        self._lock = threading.RLock()
        if header is None and not self.path.is_file():
            raise InputError(f"{self.path}: no budget file here. Give the path that `fit` printed.")
        if not self.path.parent.is_dir():
            raise OutputError(f"{self.path}: the folder does not exist. Make it, or choose another with --ledger.")
        with self._locked():
            if header is not None and not self.path.exists():
                self._create(header())
            self._catch_up()

    def reopened(self) -> "FileBook":
        """The same file, read and verified from its first line."""
        return FileBook(self.path)

    @contextmanager
    def _held(self) -> Iterator[None]:
        with super()._held(), self._locked():
            self._catch_up()
            yield

    @contextmanager
    def _locked(self) -> Iterator[None]:
        # Imported late: filelock loads asyncio, 40 ms that an in-memory ledger need not pay.
        from filelock import FileLock, Timeout

        lock = FileLock(lock_path(self.path), timeout=LOCK_SECONDS, mode=0o600)
        try:
            lock.acquire()
        except Timeout:
            raise OutputError(
                f"{self.path}: another program has held the budget file for {LOCK_SECONDS:.0f} s. "
                "Wait until it ends, then repeat."
            ) from None
        except OSError as error:
            raise _cannot_write(self.path, error) from error
        try:
            yield
        finally:
            lock.release()

    def _create(self, header: Line) -> None:
        """Writes the first line under another name, then renames it: no half header can exist."""
        line = _canonical({**header, "chain": _chain("", header)}) + b"\n"
        draft = self.path.with_name(f".medsynth-{secrets.token_hex(8)}.part")
        try:
            _write(draft, line, os.O_CREAT | os.O_EXCL)
            draft.replace(self.path)
        except OSError as error:
            raise _cannot_write(self.path, error) from error
        finally:
            with suppress(OSError):
                draft.unlink(missing_ok=True)
        # Some systems cannot sync a folder; there the rename is as durable as it gets.
        with suppress(OSError):
            folder = os.open(self.path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def _store(self, line: bytes) -> None:
        try:
            _write(self.path, line, os.O_APPEND)
        except OSError as error:
            raise _cannot_write(self.path, error) from error
        self._offset += len(line)

    def _catch_up(self) -> None:
        """Reads and verifies what was appended since the last look."""
        data = self._unread()
        whole, _, torn = data.rpartition(b"\n")
        for line in whole.split(b"\n") if whole else ():
            self._accept(line)
            self._offset += len(line) + 1
        if torn:
            self._mend(torn)
        if not self._lines:
            raise self._broken("has no first line")

    def _unread(self) -> bytes:
        try:
            with self.path.open("rb") as file:
                if file.seek(0, os.SEEK_END) < self._offset:
                    raise self._broken("has become shorter")
                file.seek(self._offset)
                return file.read()
        except OSError as error:
            raise InputError(f"{self.path}: cannot be read ({error.strerror}). Check its permissions.") from error

    def _mend(self, torn: bytes) -> None:
        """Handles a last line without its end: its writer died before any noise was drawn.

        A whole line stays, so that spend is never lowered; a part of one is cut off. The first line is never a part,
        for `_create` writes it whole: a file without one is somebody else's and is left as it is.
        """
        try:
            self._accept(torn)
        except InputError:
            if not self._lines:
                raise
            os.truncate(self.path, self._offset)
            return
        self._offset += len(torn)
        self._store(b"\n")

    def _accept(self, line: bytes) -> None:
        chain: Any = None
        try:
            body = json.loads(line)
            chain = body.pop("chain")
            whole = chain == _chain(self._head, body)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            whole = False
        if not whole and not self._lines and chain is None:
            raise InputError(
                f"{self.path}: is no budget file: its first line is not one that medsynth writes. "
                "Give --ledger another path; if it was a budget file, restore it as it was written."
            )
        if not whole:
            raise self._broken(f"was changed at line {len(self._lines) + 1}")
        self._lines.append(body)
        self._head = chain

    def _broken(self, what: str) -> InputError:
        return InputError(
            f"{self.path}: the budget file {what}; what was spent can no longer be trusted. "
            "Restore the file as it was written; do not start a new one for the same population."
        )


def _canonical(body: Line) -> bytes:
    return json.dumps(body, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def _chain(head: str, body: Line) -> str:
    return hashlib.sha256(head.encode() + b"\n" + _canonical(body)).hexdigest()


def _write(path: Path, data: bytes, how: int) -> None:
    """Appends or creates for the owner alone, and returns only when the disk has it."""
    handle = os.open(path, os.O_WRONLY | how | getattr(os, "O_BINARY", 0), 0o600)
    with os.fdopen(handle, "wb") as file:
        path.chmod(0o600)
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _cannot_write(path: Path, error: OSError) -> OutputError:
    return OutputError(
        f"{path}: the budget file cannot be written ({error.strerror}). "
        "Choose a writable folder with --ledger, or free some space."
    )
