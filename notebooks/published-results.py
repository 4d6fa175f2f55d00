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
from prunelab.studies.common import runs
from prunelab.studies.sparseness import figures, tables

source = figures.source_table(project.published() / "connection-sparseness.csv")
sweep = runs.table_of(threshold_sweep, "threshold-sweep")
records.save_table(sweep, "threshold-sweep", key=tables.THRESHOLD_KEY, columns=tables.THRESHOLD_COLUMNS)
figures.error_against_threshold(sweep, source)

# %%
figures.error_against_sparsity(sweep, source)

# %%
figures.positive_against_negative(sweep, source)

# %%
layers = runs.table_of(layer_sensitivity, "layer-sensitivity")
records.save_table(layers, "layer-sensitivity", key=tables.LAYER_KEY, columns=tables.LAYER_COLUMNS)
figures.layer_error(layers)

# %%
figures.layer_sparsity(layers, source, threshold_scale)

# %%
pairs = runs.table_of(percentile, "percentile")
records.save_table(pairs, "percentile", key=tables.PERCENTILE_KEY, columns=tables.PERCENTILE_COLUMNS)
figures.global_against_percentile(pairs, source)
