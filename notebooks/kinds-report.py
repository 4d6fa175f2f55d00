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
from prunelab.studies import (
    kinds_figures,
    kinds_report,
    kinds_summary,
    kinds_tables,
    kinds_weights_figure,
)

nets = kinds_report.read(runs, names)
kinds = kinds_report.together(nets, "kinds")
records.save_table(kinds, "kinds", key=kinds_tables.KINDS_KEY, columns=kinds_tables.KINDS_COLUMNS)
summary = kinds_summary.summary_table(kinds)
records.save_table(summary, "kinds-summary", key=kinds_summary.SUMMARY_KEY, columns=kinds_summary.SUMMARY_COLUMNS)
for net in nets:
    display(kinds_figures.error_by_kind(net.kinds, suffix=net.suffix))

# %% [markdown]
# ## Ranked by area

# %%
kinds_figures.ranking(summary)

# %%
guide = kinds_summary.guide_table(summary, kinds_report.together(nets, "costs"), kinds_report.called(nets))
records.save_table(guide, "kinds-guide", key=kinds_summary.GUIDE_KEY, columns=kinds_summary.GUIDE_COLUMNS)
guide

# %% [markdown]
# ## What becomes of the weights

# %%
weights = kinds_report.together(nets, "weights")
if len(weights):
    records.save_table(weights, "weights", key=kinds_tables.WEIGHTS_KEY, columns=kinds_tables.WEIGHTS_COLUMNS)
for net in nets:
    if len(net.weights):
        display(kinds_weights_figure.weight_distributions(net.weights, suffix=net.suffix))

# %% [markdown]
# ## L1 or L2, with and without retraining

# %%
tried = kinds_report.together(nets, "tried")
if len(tried):
    records.save_table(tried, "tried", key=kinds_tables.TRIED_KEY, columns=kinds_tables.TRIED_COLUMNS)
for net in nets:
    if len(net.tried):
        display(kinds_figures.penalties_and_retraining(net.kinds, suffix=net.suffix))
tried

# %%
values = kinds_report.report_values(nets, summary)
records.save_values(values)
values
