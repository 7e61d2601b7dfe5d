"""One game of an attack: its successes on people of train, on as many strangers, and what blind guessing scores."""

from dataclasses import dataclass, replace

from medsynth.inference import newcombe_difference, smallest_detectable_excess
from medsynth.score import Edition, Score


@dataclass(frozen=True, kw_only=True)
class Game:
    """What came of an attack.

    Attributes:
      name: Dotted, behind `leak.`: `singling_out.univariate`.
      members: Successes on people of the training data.
      strangers: Successes on people of the holdout; the control.
      trials: Attempts on each.
      chance: Share of successes of the naive attacker on people of the training data.
      p: Probability of so many more successes on members, or more, had the table been made without them.
      knew: What the attacker knew, for "Knowing ...".
      did: What was done: "... finds released rows by ...".
      got: What a success is, for "N of M attempts ...".
      beside: What else belongs beside the figure, a whole sentence or nothing.
    """

    name: str
    members: int
    strangers: int
    trials: int
    chance: float
    p: float
    knew: str
    did: str
    got: str
    beside: str = ""

    @property
    def excess(self) -> float:
        """By how much members succeed more often than strangers."""
        return (self.members - self.strangers) / self.trials

    @property
    def scores(self) -> tuple[Score, Score]:
        """`leak.NAME.excess` and `leak.NAME.p`, INTERNAL."""
        low, high = newcombe_difference(self.members, self.trials, self.strangers, self.trials)
        excess = Score(
            name=f"leak.{self.name}.excess",
            value=self.excess,
            low=low,
            high=high,
            baseline=0.0,
            better="lower",
            edition=Edition.INTERNAL,
            sentence=self._sentence(low, high),
        )
        p = Score(
            name=f"leak.{self.name}.p",
            value=self.p,
            better="higher",
            edition=Edition.INTERNAL,
            sentence=(
                f"Probability of so large an excess, or a larger one, if the table had been made without the people "
                f"attacked (one-sided): {told(self.p)}."
            ),
        )
        return excess, p

    def _sentence(self, low: float, high: float) -> str:
        smallest = smallest_detectable_excess(self.strangers, self.trials)
        left = self.trials - self.strangers
        risk = max(0.0, (self.members - self.strangers) / left) if left else 0.0
        return (
            f"Knowing {self.knew}, the attacker {self.did}. {self.members:,} of {self.trials:,} attempts on people in "
            f"the training data {self.got}, against {self.strangers:,} of {self.trials:,} on people who were not: an "
            f"excess of {self.excess:.2%} (95 % interval {low:.2%} to {high:.2%}), or {risk:.2%} of what strangers "
            f"leave to find. Blind guessing: {self.chance:.2%}. An excess of {smallest:.2%} or more would have been "
            f"seen four times in five.{' ' if self.beside else ''}{self.beside}"
        )


def untold(name: str, why: str) -> tuple[Score, Score]:
    """The two scores of a game that could not be played."""
    excess = Score(name=f"leak.{name}.excess", value=None, better="lower", edition=Edition.INTERNAL, sentence=why)
    return excess, replace(excess, name=f"leak.{name}.p", better="higher")


def told(p: float) -> str:
    """A probability in a sentence.

    >>> told(0.0312), told(3e-9)
    ('0.031', 'below 0.0001')
    """
    return f"{p:.2g}" if p >= 1e-4 else "below 0.0001"
