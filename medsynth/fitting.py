"""Fitting, as the command line and the Python class share it: source and schema to a model that can be shared."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from medsynth.encoding.codec import Codec, require_columns
from medsynth.encoding.comparison import Claim, MeasuredTable
from medsynth.encoding.condition import Condition, compile_condition
from medsynth.encoding.contradictions import Conflicts, find_conflicts
from medsynth.encoding.possible import impossible
from medsynth.encoding.records import Records
from medsynth.errors import SchemaError, UsageError
from medsynth.finding import Domains, Search, find_domains, kept_for_thresholds
from medsynth.models import MODELS
from medsynth.models.base import Fitted, Model, RareTarget
from medsynth.models.graphical import GraphicalModel
from medsynth.models.model_file import ModelFile
from medsynth.models.reward import REWARD_SHARE, rewarded
from medsynth.models.workload import pair_weights
from medsynth.privacy.guarantee import Guarantee
from medsynth.privacy.ledger import Ledger
from medsynth.progress import Progress
from medsynth.sampling.lineage import lineage_of
from medsynth.schema.private import private_columns, stand_in
from medsynth.schema.sections import LARGEST_DELTA
from medsynth.sources import Source
from medsynth.sources.encoded import encode_batches
from medsynth.version import __version__

if TYPE_CHECKING:
    from medsynth.schema import Schema


@dataclass(frozen=True, kw_only=True)
class FitRequest:
    """What to fit; public settings only.

    Attributes:
      schema: The table's description.
      model: A name of `medsynth.models.MODELS`.
      epsilon: Of this fit; None takes the schema's.
      delta: Of this fit; None takes the schema's. Neither may exceed `LARGEST_DELTA`.
      mark: What the table says of its synthetic origin; None where it says nothing.
      part: Side of a person-disjoint split that the table is, as `Ledger.allowance` takes it; empty for everybody.
      reward: Whether a part of the budget buys what records earn when they are selected from a pool.

    Raises:
      UsageError: If one of them does.
    """

    schema: "Schema"
    model: str = "adaptive"
    epsilon: float | None = None
    delta: float | None = None
    mark: Mapping[str, Any] | None = None
    part: str = ""
    reward: bool = False

    def __post_init__(self) -> None:
        delta = max(self.budget[1], self.schema.delta_value)
        if delta > LARGEST_DELTA:
            raise UsageError(
                f"Delta must be a number above 0 and at most {LARGEST_DELTA:g}, got {delta:g}; above it a person's row "
                "may be published whole too often. Leave out --delta, and write delta: auto in the schema."
            )

    @property
    def budget(self) -> tuple[float, float]:
        """(epsilon, delta) of the fit."""
        privacy = self.schema.privacy
        return (
            privacy.epsilon if self.epsilon is None else self.epsilon,
            self.schema.delta_value if self.delta is None else self.delta,
        )


def open_ledger(schema: "Schema", path: object = None) -> Ledger:
    """The population's ledger; the schema's epsilon and delta are its limit when it is made."""
    return Ledger(
        schema.privacy.epsilon,
        schema.delta_value,
        population=schema.dataset.name,
        unit=schema.privacy.noun,
        persons=schema.privacy.persons,
        privacy_unit=privacy_unit(schema),
        path=None if path is None else str(path),
        thresholds=kept_for_thresholds(schema, schema.delta_value),
    )


def privacy_unit(schema: "Schema") -> str:
    """Who counts as one person, as budgets state it; a column may itself be called rows."""
    return "rows" if schema.privacy.rows_are_persons else f"column {schema.privacy.unit!r}"


def fit_model(
    source: Source, request: FitRequest, ledger: Ledger, progress: Progress, *, search: Search | None = None
) -> ModelFile:
    """Fits a model under the ledger.

    The budget is asked for before a row is read; no row's content raises, warns or changes what is printed.

    Args:
      source: Private rows.
      request: What to fit.
      ledger: The population's.
      progress: Hears of the steps.
      search: How private columns are searched; None as always.

    Raises:
      UsageError, SchemaError: As `require_sound` says.
      DataError: If a column is absent or the file cannot be read.
      BudgetError: If the population's budget does not allow the fit.
      InputError: If the budget has another privacy unit than the schema.
    """
    schema = request.schema
    require_sound(request)
    model = MODELS[request.model]()
    require_columns(source.columns, schema.inputs)
    allowance = _allowance(request, ledger)
    found, mu = _found(source, schema, allowance, progress, search)
    codec = Codec(schema=found.schema)
    domains = allowance.entries
    progress.start("Reading and encoding the table")
    key, private = bounding_key(allowance), private_columns(schema)
    records = encode_batches(source.batches(schema.inputs), codec, key, rows=source.rows, unnoted=private)
    allowance.note_table(found.content + records.content)
    # Fewer than three columns have nothing beyond their pairs, which public sizes say beforehand.
    rewards = request.reward and sum(size > 1 for size in codec.domain.sizes) > 2
    reward_share = REWARD_SHARE if rewards else 0.0
    own = mu * math.sqrt(1 - reward_share)
    fitted = fit_records(records, codec, allowance, model=model, mu=own, progress=progress)
    if isinstance(fitted, GraphicalModel) and rewards:
        progress.start("Reward")
        fitted = rewarded(fitted, records, allowance, mu=mu * math.sqrt(reward_share))
    progress.finish()
    return ModelFile(
        fitted=fitted,
        schema=found.schema.self_contained_text,
        guarantee=allowance.guarantee.as_dict(),
        ledger=tuple(entry.as_dict() for entry in allowance.entries),
        about={"model": request.model, "medsynth": __version__}
        | lineage_of(request.mark)
        | ({"unseen": list(found.unseen)} if found.unseen else {})
        | ({"reward": True} if rewards else {}),
        domains=tuple(entry.number for entry in domains),
    )


def fit_records(
    records: Records, codec: Codec, ledger: Ledger, *, model: Model, mu: float, progress: Progress
) -> Fitted:
    """Fits a model to encoded records, with all that their schema says of it.

    Args:
      records: Counted under the ledger.
      codec: Of a schema in which nothing is left open.
      ledger: Of this fit.
      model: Its settings.
      mu: Budget of the model.
      progress: Hears of the steps.
    """
    return model.fit(
        records,
        ledger,
        persons=codec.schema.privacy.persons,
        mu=mu,
        progress=progress,
        impossible=impossible_conditions(codec),
        weights=pair_weights(codec.schema, codec.domain),
        rare=rare_targets(codec),
    )


def _allowance(request: FitRequest, ledger: Ledger) -> Ledger:
    """The fit's own part of the budget, asked for before a row is read."""
    schema = request.schema
    epsilon, delta = request.budget
    return ledger.allowance(
        epsilon,
        delta,
        label=f"Fit of {request.model}",
        unit=schema.privacy.noun,
        persons=schema.privacy.persons,
        privacy_unit=privacy_unit(schema),
        thresholds=bool(private_columns(schema, "category")),
        part=request.part,
    )


def _found(
    source: Source, schema: "Schema", allowance: Ledger, progress: Progress, search: Search | None
) -> tuple[Domains, float]:
    """(the schema without open columns, the mu that is left for the model)."""
    mu = allowance.guarantee.mu
    if not private_columns(schema):
        return Domains(schema=schema), mu
    share = schema.privacy.domain_share
    progress.start("Finding private domains")
    key = bounding_key(allowance)
    found = find_domains(source, schema, allowance, mu2=share * mu**2, key=key, search=search)
    return found, mu * math.sqrt(1 - share)


def impossible_conditions(codec: Codec) -> tuple[Condition, ...]:
    """What the schema's rules exclude, as far as one or two columns say it in whole cells.

    The rest is left to the repair of drawn rows, which checks every rule.
    """
    found = (excluded for rule in codec.schema.rule_predicates for excluded in impossible(rule, codec))
    return tuple(excluded for excluded in found if 1 <= len(excluded.attributes) <= 2)


def conflicts_of(schema: "Schema", *, notices: bool = True) -> Conflicts:
    """What the schema's rules do to each other, from public text alone; of private columns nothing is known yet.

    Args:
      schema: Of a table.
      notices: Whether to look for those too, also with the `plausible` rules that `--clean` would hold.
    """
    private = set(private_columns(schema))
    rules = {
        name: rule
        for name, rule in zip(schema.rule_names, schema.rule_predicates, strict=True)
        if not rule.columns & private
    }
    plausible = {
        f"Plausible rule '{text}'": rule
        for text, rule in zip(schema.plausible, schema.plausible_predicates, strict=True)
        if notices and not rule.columns & private
    }
    if not rules and not plausible:
        return Conflicts()
    codec = Codec(schema=stand_in(schema))
    firm = find_conflicts(rules, codec, notices=notices)
    if firm.problems or not plausible:
        return firm
    soft = find_conflicts(rules | plausible, codec, notices=False)
    doubtful = (f"{problem.sentence} As it stands, --clean leaves nothing." for problem in soft.problems)
    return Conflicts(notices=(*firm.notices, *doubtful))


def rare_targets(codec: Codec) -> tuple[RareTarget, ...]:
    """The schema's rare conditions, and the columns that matter inside them: those they are kept with, or all others.

    Raises:
      UsageError: If a condition cuts through a cell or needs too many boxes.
    """
    found = []
    for rare in codec.schema.rare:
        condition = compile_condition(codec.schema.rare_predicates[rare.name], codec)
        named = {codec.domain.index(name) for name in rare.keep_with if name in codec.domain}
        columns = named or set(range(len(codec.domain))) - condition.attributes
        varied = tuple(sorted(column for column in columns if codec.domain.sizes[column] > 1))
        found.append(RareTarget(name=rare.name, condition=condition, columns=varied))
    return tuple(found)


def require_sound(request: FitRequest) -> None:
    """Refuses what public settings alone show to be wrong, before a budget file is made or a row is read.

    Raises:
      UsageError: If the model is unknown, epsilon or delta is outside its range, or a rare condition cuts through a
        cell.
      SchemaError: If something read from data was not confirmed, or no record can obey the rules.
    """
    _ = MODELS[request.model]
    epsilon, delta = request.budget
    Guarantee.of(epsilon, delta, unit=request.schema.privacy.noun, persons=request.schema.privacy.persons)
    require_confirmed(request.schema)
    problems = conflicts_of(request.schema, notices=False).problems
    if problems:
        raise SchemaError(f"Schema '{request.schema.dataset.name}': {problems[0].sentence}")
    if request.schema.rare or private_columns(request.schema):
        # What the schema names must fit into what will be found, and rare conditions into cells.
        rare_targets(Codec(schema=stand_in(request.schema)))


def bounding_key(ledger: Ledger) -> bytes:
    """64 secret bytes: which rows of a person are kept, and how persons are told apart."""
    return ledger.key("rows kept per person") + ledger.key("persons told apart")


def require_confirmed(schema: "Schema") -> None:
    """Refuses a schema with parts that `init` read from data and nobody confirmed.

    Raises:
      SchemaError: Naming the columns and the command that confirms them.
    """
    if schema.unconfirmed:
        names = ", ".join(repr(name) for name in schema.unconfirmed[:5])
        raise SchemaError(
            f"Schema '{schema.dataset.name}': columns {names} were drafted from the data (source: data) and are not "
            "confirmed. Check each, then run `medsynth schema confirm`."
        )


def claim_of(file: ModelFile) -> Claim:
    """What the model published, as plain values for the evaluations."""
    fitted: Fitted = file.fitted
    return Claim(
        guarantee=file.guarantee,
        measurements=tuple(
            MeasuredTable(
                attributes=tuple(level.attribute for level in measurement.clique),
                groups=tuple(level.groups for level in measurement.clique),
                noisy=measurement.noisy,
                sigma=measurement.sigma,
                interactions=measurement.interactions,
            )
            for measurement in fitted.measurements
        ),
        persons=int(file.guarantee["persons"]),
    )
