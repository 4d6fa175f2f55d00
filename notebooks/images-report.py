# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The first study on image nets, drawn and summed up
#
# What the three sweeps measured, beside the tables that the source printed. Nothing is pruned here.

# %% tags=["parameters"]
nets = []  # folders of the runs that trained the nets
threshold_sweep = ""  # folder of the run that swept the thresholds
layer_sensitivity = ""  # folder of the run that pruned one layer at a time
percentile = ""  # folder of the run that compared percentile and global threshold
threshold_scale = 0.97  # root mean square weights; where the layers are compared

# %%
from prunelab import project
from prunelab.studies.common.curves import Knees, MeanOfNets, knee_table
from prunelab.studies.sparseness import figures, summary
from prunelab.studies.sparseness.tables import KneeGains, LayerCosts, LayerSensitivity, Percentile, ThresholdSweep
from prunelab.tables import of_runs

source = figures.source_table(project.published() / "connection-sparseness.csv")
sweep = ThresholdSweep.save(ThresholdSweep.load(threshold_sweep))
figures.error_against_threshold(sweep, source)

# %%
figures.error_against_sparsity(sweep, source)

# %%
figures.positive_against_negative(sweep, source)

# %% [markdown]
# The knee of a curve is the smallest sparsity at which the error exceeds the unpruned error by 20 points.

# %%
Knees.save(knee_table(sweep))

# %% [markdown]
# ## One layer at a time

# %%
layers = LayerSensitivity.save(LayerSensitivity.load(layer_sensitivity))
figures.layer_error(layers)

# %%
figures.layer_sparsity(layers, source, threshold_scale)

# %%
LayerCosts.save(summary.layer_costs(layers, threshold_scale))

# %% [markdown]
# ## Percentiles against one threshold

# %%
pairs = Percentile.save(Percentile.load(percentile))
figures.global_against_percentile(pairs, source)

# %%
Knees.save(knee_table(pairs), "percentile-knees")

# %%
KneeGains.save(summary.knee_gains(pairs))

# %% [markdown]
# ## Over seeds

# %%
dense = of_runs(nets, "dense", run="lenet-relu", parameter="nets")
MeanOfNets.save(summary.net_means(dense, sweep, layers, threshold_scale), "net-means")
