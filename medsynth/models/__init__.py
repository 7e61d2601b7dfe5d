"""Models: noisy counts in, synthetic codes out. A model is found by name and imported on first use.

    levels          nested resolutions of a column, denoised one-way tables
    marginals       small arithmetic on tables
    junction_tree   which tables fit one tree; triangulation finds it, calibration computes with it, tree_sampling draws
    estimation      noisy tables -> potentials of the tree
    graphical       what every marginal model fits: marginal, share, sample
    targets, edit   all-pairs targets, and rows edited towards them
    independent, mst, adaptive    the models
    model_file      one fitted model, one file
"""

from medsynth.registry import Registry

MODELS = Registry(
    "model",
    __name__,
    {"adaptive": "adaptive:Adaptive", "independent": "independent:Independent", "mst": "mst:MST"},
)
