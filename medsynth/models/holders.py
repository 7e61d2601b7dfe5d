"""How many rows hold each level, so that what only one row holds is not lost."""

import numpy as np
import numpy.typing as npt

IntegerArray = npt.NDArray[np.integer]


class Holders:
    """Counts the rows that hold each place; a place is a level of a column, all columns side by side.

    Args:
      places: Of every row, shape (n, columns).
      size: Number of places.

    >>> holders = Holders(np.array([[0, 2], [0, 3], [1, 3]]), 4)
    >>> holders.free(np.array([[0, 2], [0, 3]]), np.array([[0, 3], [1, 3]])).tolist()
    [False, True]
    """

    def __init__(self, places: IntegerArray, size: int) -> None:
        self._counts = np.bincount(places.ravel(), minlength=size)

    def free(self, old: IntegerArray, new: IntegerArray) -> npt.NDArray[np.bool_]:
        """Which rows may change from old to new places, (m, columns), all at once: each place keeps a row."""
        leaving = old != new
        left = self._counts - np.bincount(old[leaving], minlength=len(self._counts))
        return np.asarray((~leaving | (left[old] > 0)).all(axis=1))

    def move(self, old: IntegerArray, new: IntegerArray) -> None:
        """Books that rows changed."""
        size = len(self._counts)
        self._counts += np.bincount(new.ravel(), minlength=size) - np.bincount(old.ravel(), minlength=size)
