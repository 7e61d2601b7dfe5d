"""Who is held out: a person-disjoint split that depends on each person alone, and the comparison made from it."""

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from medsynth.encoding.bounding import Contributions, bounding_of, order_values, person_digests, row_hashes
from medsynth.encoding.codec import Codec, person_weighted, require_columns
from medsynth.encoding.comparison import Claim, Comparison, Part
from medsynth.encoding.typed import typed_frame
from medsynth.errors import DataError, UsageError
from medsynth.privacy.ledger import Ledger
from medsynth.sampling.draw import WEIGHT
from medsynth.schema.table import ROWS_COLUMN
from medsynth.sources.files import read_frame

if TYPE_CHECKING:
    from medsynth.schema import Schema

FloatArray = npt.NDArray[np.float64]
FITTED, HELD_OUT = "fitted", "held out"
"""The two sides of the split, as budgets name them."""


@dataclass(frozen=True, kw_only=True)
class Tables:
    """Where a comparison's tables are.

    Attributes:
      train: Private rows the model saw, or all rows where `holdout_share` is given.
      holdout: Private rows of other persons.
      holdout_share: Share of persons held out of `train`.
      ledger: Budget file, whose keys decide which persons are held out.
      coins: 32 secret bytes in hexadecimal, fresh for every run: they decide which rows are held out where rows are
        persons, so that two fits share no coin.
    """

    train: Path
    holdout: Path | None = None
    holdout_share: float | None = None
    ledger: Path | None = None
    coins: str = field(default_factory=lambda: secrets.token_hex(32), repr=False)

    def __post_init__(self) -> None:
        if self.holdout is None:
            if self.holdout_share is None:
                raise UsageError("Evaluation needs rows of other persons. Give --holdout.")
            require_share(self.holdout_share)

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> "Tables":
        """Tables from the plain values of a run record."""
        paths = {key: plain[key] and Path(plain[key]) for key in ("train", "holdout", "ledger")}
        return cls(**{**plain, **paths})

    def read(self, schema: "Schema") -> pd.DataFrame:
        """All rows of `train`."""
        return _read_table(self.train, schema)

    def split(self, frame: pd.DataFrame, schema: "Schema", ledger: Ledger) -> tuple[pd.DataFrame, pd.DataFrame]:
        """(train, holdout) rows, both with some.

        Raises:
          DataError: If nobody is left on one side.
        """
        if self.holdout is not None:
            train, holdout = frame, _read_table(self.holdout, schema)
            require_other_persons(train, holdout, schema)
        else:
            rows_are_persons = schema.privacy.unit is None
            key = bytes.fromhex(self.coins) if rows_are_persons else ledger.key("persons held out")
            out = held_out(frame, schema, self.holdout_share or 0.0, key)
            train, holdout = frame[~out], frame[out]
        for part, rows in (("to fit", train), (HELD_OUT, holdout)):
            if not len(rows):
                raise DataError(
                    f"Table: there is no record {part}, so nothing can be compared. "
                    "Give a table with more persons, another --holdout-share or --holdout; "
                    "`medsynth fit` needs no comparison."
                )
        return train, holdout

    def side(self, side: str) -> str:
        """A side of this run's split as the budget names it; empty where the holdout is a table of its own.

        Every run names its split anew: whether a person is on the same side in another rests on how the identifier was
        written there.
        """
        if self.holdout is not None:
            return ""
        return f"split {hashlib.sha256(self.coins.encode()).hexdigest()[:16]}/{side}"


def _read_table(path: Path, schema: "Schema") -> pd.DataFrame:
    frame = read_frame(path)
    require_columns(frame.columns, schema.inputs)
    return frame


def require_other_persons(train: pd.DataFrame, holdout: pd.DataFrame, schema: "Schema") -> None:
    """Refuses a holdout that names a person of the training table: every comparison with it would be void.

    Raises:
      DataError: Naming the person column.
    """
    unit = schema.privacy.unit
    if unit is None:
        return
    key = secrets.token_bytes(32)
    digests = [set(map(tuple, person_digests(part[unit], key).tolist())) - {(0, 0)} for part in (train, holdout)]
    if digests[0] & digests[1]:
        raise DataError(
            f"--holdout: column '{unit}' names a person who is also in the training table. "
            "Split the tables by person, or leave --holdout out and let medsynth split."
        )


def require_share(share: float) -> None:
    """Refuses a share of held-out persons outside (0, 1).

    Raises:
      UsageError: Saying what is allowed.
    """
    if not 0 < share < 1:
        raise UsageError(f"--holdout-share {share}: must lie between 0 and 1, as in 0.2.")


def held_out(frame: pd.DataFrame, schema: "Schema", share: float, key: bytes) -> npt.NDArray[np.bool_]:
    """Which rows belong to held-out persons, (n,) bool.

    A person is held out or not by a keyed hash of the identifier. Where rows are persons, each row gets a coin of its
    own from a generator seeded with the key, which is fresh for every run: adding a row changes nobody else's odds.

    Args:
      frame: Private rows.
      schema: Names the person column.
      share: Of the persons to hold out, in (0, 1).
      key: 32 secret bytes.

    Raises:
      UsageError: If the share is outside (0, 1).
    """
    require_share(share)
    unit = schema.privacy.unit
    if unit is None:
        seed = np.frombuffer(key, dtype=np.uint32).tolist()
        return np.random.default_rng(seed).random(len(frame)) < share
    digests = person_digests(frame[unit], key)
    return digests[:, 0] < np.uint64(int(share * 2.0**64))


def contributions(frame: pd.DataFrame, codec: Codec, key: bytes) -> Contributions:
    """What each row contributes under the schema's bounding rule, and how many rows of its person do.

    Args:
      frame: Private rows.
      codec: Encodes them.
      key: The 64 secret bytes of the fit, so that the same rows are kept.
    """
    privacy = codec.schema.privacy
    if privacy.unit is None:
        nobody = np.zeros(len(frame), dtype=np.uint64)
        return bounding_of(privacy).contributions(np.column_stack([nobody, nobody]), None, nobody)
    order = None
    if privacy.order is not None:
        column = codec.schema.columns.get(privacy.order)
        order = order_values(frame[privacy.order], "number" if column is None else column.kind)
    persons = person_digests(frame[privacy.unit], key[32:])
    ties = row_hashes(codec.encode_rows(frame), key[:32])
    return bounding_of(privacy).contributions(persons, order, ties)


def counted(frame: pd.DataFrame, codec: Codec, contributed: Contributions) -> pd.DataFrame:
    """The rows with the column of rows per person, where the schema has one."""
    return frame.assign(**{ROWS_COLUMN: contributed.rows}) if ROWS_COLUMN in codec.domain else frame


def compare(
    train: pd.DataFrame,
    holdout: pd.DataFrame,
    synthetic: pd.DataFrame,
    *,
    codec: Codec,
    key: bytes,
    claim: Claim | None,
) -> Comparison:
    """Train, holdout and synthetic rows with their weights, typed as the schema declares.

    Rows that bounding drops are left out.
    """
    parts: dict[str, Any] = {}
    for name, frame in (("train", train), ("holdout", holdout)):
        contributed = contributions(frame, codec, key)
        weights = person_weighted(contributed.weights)
        kept = weights > 0
        rows = counted(frame, codec, contributed)[kept]
        parts[name] = typed_frame(rows, codec.schema).reset_index(drop=True)
        parts[f"{name}_weights"] = weights[kept]
    return Comparison(**parts, **_released(synthetic, codec), codec=codec, claim=claim)


def compare_another(comparison: Comparison, synthetic: pd.DataFrame) -> Comparison:
    """The same real rows beside another synthetic table."""
    parts: tuple[Part, ...] = ("train", "holdout")
    codes = {part: comparison.codes(part) for part in parts}
    return replace(comparison, **_released(synthetic, comparison.codec), _codes=codes)


def _released(synthetic: pd.DataFrame, codec: Codec) -> dict[str, Any]:
    weights = synthetic[WEIGHT].to_numpy(dtype=np.float64) if WEIGHT in synthetic else np.ones(len(synthetic))
    rows = typed_frame(synthetic.drop(columns=WEIGHT, errors="ignore"), codec.schema)
    return {"synthetic": rows, "synthetic_weights": weights}
