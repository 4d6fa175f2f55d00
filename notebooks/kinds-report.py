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
names: list[str] = []  # of each run, what its net is called in the names of values and figures, as lenet

# %%
from IPython.display import display

from prunelab import records
from prunelab.studies.kinds import figures, summary as kinds_summary, tables

nets = kinds_summary.read(runs, names)
kinds = kinds_summary.together(nets, "kinds")
records.save_table(kinds, "kinds", key=tables.KINDS_KEY, columns=tables.KINDS_COLUMNS)
summary = kinds_summary.summary_table(kinds)
records.save_table(summary, "kinds-summary", key=kinds_summary.SUMMARY_KEY, columns=kinds_summary.SUMMARY_COLUMNS)
for net in nets:
    display(figures.error_by_kind(net.kinds, suffix=net.suffix))

# %% [markdown]
# ## Ranked by area

# %%
figures.ranking(summary)

# %%
guide = kinds_summary.guide_table(summary, kinds_summary.together(nets, "costs"), kinds_summary.called(nets))
records.save_table(guide, "kinds-guide", key=kinds_summary.GUIDE_KEY, columns=kinds_summary.GUIDE_COLUMNS)
guide

# %% [markdown]
# ## What becomes of the weights

# %%
weights = kinds_summary.together(nets, "weights")
if len(weights):
    records.save_table(weights, "weights", key=tables.WEIGHTS_KEY, columns=tables.WEIGHTS_COLUMNS)
for net in nets:
    if len(net.weights):
        display(figures.weight_distributions(net.weights, suffix=net.suffix))

# %% [markdown]
# ## L1 or L2, with and without retraining

# %%
tried = kinds_summary.together(nets, "tried")
if len(tried):
    records.save_table(tried, "tried", key=tables.TRIED_KEY, columns=tables.TRIED_COLUMNS)
for net in nets:
    if len(net.tried):
        display(figures.penalties_and_retraining(net.kinds, suffix=net.suffix))
tried

# %%
values = kinds_summary.report_values(nets, summary)
records.save_values(values)
values
