# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The published run, drawn again
#
# The figures of the first study from the tables of the full profile as published with this report, without running
# anything again.

# %% tags=["parameters"]
threshold_sweep = ""  # folder of the published threshold sweep
layer_sensitivity = ""  # folder of the published one-layer sweep
percentile = ""  # folder of the published comparison of percentile and global threshold
threshold_scale = 0.97  # root mean square weights; where the layers are compared

# %%
from prunelab import project, records
from prunelab.studies import sparseness_figures, sparseness_summary, sparseness_tables

source = sparseness_figures.source_table(project.published() / "connection-sparseness.csv")
sweep = sparseness_summary.table_of(threshold_sweep, "threshold-sweep")
records.save_table(
    sweep, "threshold-sweep", key=sparseness_tables.THRESHOLD_KEY, columns=sparseness_tables.THRESHOLD_COLUMNS
)
sparseness_figures.error_against_threshold(sweep, source)

# %%
sparseness_figures.error_against_sparsity(sweep, source)

# %%
sparseness_figures.positive_against_negative(sweep, source)

# %%
layers = sparseness_summary.table_of(layer_sensitivity, "layer-sensitivity")
records.save_table(
    layers, "layer-sensitivity", key=sparseness_tables.LAYER_KEY, columns=sparseness_tables.LAYER_COLUMNS
)
sparseness_figures.layer_error(layers)

# %%
sparseness_figures.layer_sparsity(layers, source, threshold_scale)

# %%
pairs = sparseness_summary.table_of(percentile, "percentile")
records.save_table(
    pairs, "percentile", key=sparseness_tables.PERCENTILE_KEY, columns=sparseness_tables.PERCENTILE_COLUMNS
)
sparseness_figures.global_against_percentile(pairs, source)
