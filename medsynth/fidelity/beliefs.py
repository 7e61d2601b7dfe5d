"""Models of the utility target, trained on real and on synthetic rows, and what they believe of the holdout."""

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from medsynth.encoding.comparison import Comparison, Part
from medsynth.encoding.domain import IntArray
from medsynth.fidelity.learners import Feature, as_indicators, as_integers, boosting, features_of, forest, linear
from medsynth.fidelity.tables import FloatArray
from medsynth.fidelity.target import Rows, Target, UnusableError, rows_of, target_of

PARTS: tuple[Part, ...] = ("train", "holdout", "synthetic")
SOURCES: tuple[Part, ...] = ("synthetic", "train")
LEARNERS = {"": "a model", "linear.": "a linear model", "forest.": "a random forest"}
"""By the prefix of their figures; the first are gradient-boosted trees, which every headline comes from."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Learned:
    """A fitted learner, or the only class there was to learn.

    Attributes:
      learner: What was fitted; a number where the rows showed one class.
      features: What it reads.
      encode: How it reads it.
      classes: Number of columns of its beliefs; 0 for a regression.
    """

    learner: Any
    features: tuple[Feature, ...]
    encode: Callable[..., Any]
    classes: int

    def believe(self, codes: IntArray) -> FloatArray:
        """(n, classes) probabilities, or (n, 1) numbers."""
        if not self.classes:
            table = self.encode(codes, self.features)
            return np.asarray(self.learner.predict(table), dtype=np.float64)[:, None]
        beliefs = np.zeros((len(codes), self.classes))
        if isinstance(self.learner, float):
            beliefs[:, int(self.learner)] = 1.0
        else:
            table = self.encode(codes, self.features)
            beliefs[:, self.learner.classes_.astype(int)] = self.learner.predict_proba(table)
        return beliefs


@dataclass(frozen=True, kw_only=True, eq=False)
class Judged:
    """What is known after training.

    Attributes:
      target: What is predicted.
      parts: Rows that show it.
      models: By the part that they were trained on.
      beliefs: Likewise, about the holdout.
    """

    target: Target
    parts: Mapping[Part, Rows]
    models: Mapping[Part, Learned]
    beliefs: Mapping[Part, FloatArray]

    @property
    def holdout(self) -> Rows:
        """Real rows of other persons."""
        return self.parts["holdout"]

    @property
    def truth(self) -> Any:
        """Which holdout rows are cases of a binary target."""
        return self.holdout.labels == 1


def judged(comparison: Comparison, prefix: str = "", sources: tuple[Part, ...] = SOURCES) -> Judged:
    """Trains one learner on each source, once per comparison.

    Args:
      comparison: Holds the tables.
      prefix: Which learner, a key of `LEARNERS`.
      sources: Parts to train on.

    Raises:
      UnusableError: If the target cannot be judged.
    """
    return comparison.once(f"judged {prefix} {sources}", lambda: _judged(comparison, prefix, sources))


def _judged(comparison: Comparison, prefix: str, sources: tuple[Part, ...]) -> Judged:
    target = target_of(comparison)
    wanted = [part for part in PARTS if part == "holdout" or part in sources]
    parts = {part: rows_of(comparison, part, target) for part in wanted}
    features = features_of(comparison.domain.attributes, target.excluded)
    if not features:
        raise UnusableError("no column is left to predict it from.")
    classes = 0 if target.task == "regression" else 1 + max(int(rows.labels.max()) for rows in parts.values())
    with calm():
        models = {source: learned(parts[source], features, prefix, classes=classes) for source in sources}
        beliefs = {source: model.believe(parts["holdout"].codes) for source, model in models.items()}
    return Judged(target=target, parts=parts, models=models, beliefs=beliefs)


def learned(rows: Rows, features: tuple[Feature, ...], prefix: str, *, classes: int) -> Learned:
    """A learner fitted to these rows; of class numbers below `classes`, or of numbers where that is 0."""
    encode: Callable[..., Any] = as_indicators if prefix == "linear." else as_integers
    if classes and len(np.unique(rows.labels)) == 1:
        learner: Any = float(rows.labels[0])
    else:
        learner = _learner(prefix, features, rows=len(rows.labels), regression=not classes)
        learner.fit(encode(rows.codes, features), rows.labels, sample_weight=rows.weights)
    return Learned(learner=learner, features=features, encode=encode, classes=classes)


def _learner(prefix: str, features: tuple[Feature, ...], *, rows: int, regression: bool) -> Any:
    if prefix == "linear.":
        return linear(regression=regression)
    return forest(rows, regression=regression) if prefix else boosting(features, regression=regression)


@contextmanager
def calm() -> Iterator[None]:
    """One thread, and no word of iterations.

    On a busy machine the learners' threads wait for each other: 180 s were measured instead of 10.
    """
    import sklearn.ensemble  # noqa: F401 - only libraries already loaded can be limited

    with warnings.catch_warnings(), threadpool_limits(limits=1):
        warnings.simplefilter("ignore")  # slow convergence: iterations are fixed in advance
        yield
