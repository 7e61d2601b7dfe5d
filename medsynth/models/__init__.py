"""Models: noisy counts in, synthetic codes out. A model is found by name and imported on first use.

levels          nested resolutions of a column, denoised one-way tables
one_ways        the first measurement of every marginal model; pooling: all tables that count a
                column, as one estimate; marginals: small arithmetic on tables
impossible      what rules forbid of two columns, as structural zeros
junction_tree   a tree of cliques; triangulation finds it, calibration and tree_marginals compute
                with it, tree_sampling draws from it
estimation      noisy tables -> potentials of the tree
graphical       what every marginal model fits: marginal, share, sample
tree_rows       rows of the tree, down to finest cells
targets, edit   all-pairs targets, and rows edited towards them; moves: what a change of a row gains
given           what targets become inside a condition
drawing         rows of weighted strata, chunk after chunk: tree_rows, then edit
completion      rows of known cells completed, copies coupled to rows; row_evidence: what the tree says of
                rows that are known in part, each in its own columns
reward          what records earn in a selection, beyond what pairs say; reward_tables: what a model keeps of it
survey, rounds  what `adaptive` scores, measures and fits, and when
workload        how much each pair counts, from what the schema declares
independent, mst, adaptive    the models
model_file      one fitted model, one file; graphical_form takes the model apart
"""

from medsynth.registry import Registry

MODELS = Registry(
    "model",
    __name__,
    {"adaptive": "adaptive:Adaptive", "independent": "independent:Independent", "mst": "mst:MST"},
)
