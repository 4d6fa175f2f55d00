# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Kinds of pruning function: the figures
#
# What the comparisons on several nets measured, put together: error against sparsity of every kind, their ranks, what
# each does to the weights, L1 and L2 penalties with and without retraining, and what each kind needs. Nothing is
# trained here.

# %% tags=["parameters"]
runs: list[str] = []  # folders of the runs that compared kinds, one or more a net
names: list[str] = []  # of each run, what its net is called in the names of figures, as lenet

# %%
from IPython.display import display

from prunelab.studies.kinds import figures, summary
from prunelab.studies.kinds.ranking import summary_table
from prunelab.studies.kinds.tables import Kinds, KindsGuide, KindsSummary, Tried, Weights

nets = summary.read(runs, names)
kinds = Kinds.save(summary.together(nets, "kinds"))
for net in nets:
    display(figures.error_by_kind(net.kinds, suffix=net.suffix))

# %% [markdown]
# ## Ranked by area

# %%
ranked = KindsSummary.save(summary_table(kinds))
figures.ranking(ranked)

# %%
KindsGuide.save(summary.guide_table(ranked, summary.together(nets, "costs"), {net.net: net.name for net in nets}))

# %% [markdown]
# ## What becomes of the weights

# %%
weights = summary.together(nets, "weights")
if len(weights):
    Weights.save(weights)
for net in nets:
    if len(net.weights):
        display(figures.weight_distributions(net.weights, suffix=net.suffix))

# %% [markdown]
# ## L1 or L2, with and without retraining

# %%
tried = summary.together(nets, "tried")
if len(tried):
    Tried.save(tried)
for net in nets:
    if len(net.tried):
        display(figures.penalties_and_retraining(net.kinds, suffix=net.suffix))
tried
