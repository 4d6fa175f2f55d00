# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # One global threshold against the same percentile everywhere
#
# Experiment 6 of the source, on image nets: removing the same fraction of each layer's positive and of its negative
# weights, against one magnitude threshold for the whole net. Which keeps the error low to a higher sparsity?

# %% tags=["parameters"]
nets = []  # folders of runs that trained nets; empty: train small ones here
data = "digits"  # what the nets were trained on, and are measured on
models = ["lenet-300-100-relu"]  # trained here when `nets` is empty
seeds = [0, 1, 2]  # trained here when `nets` is empty
epochs = 10  # trained here when `nets` is empty
fractions = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.925, 0.95, 0.975, 0.99]
device = "cpu"  # where to train and measure: cpu or cuda

# %%
from prunelab import project, records
from prunelab.data import load_images
from prunelab.studies.common import curves
from prunelab.studies.sparseness import experiment, figures, summary as sparseness_summary, tables
from prunelab.studies.common.nets import open_nets

images = load_images(data, device=device)
trained = open_nets(nets, images, models=models, seeds=seeds, epochs=epochs, device=device)
table = experiment.percentile_table(trained, images, fractions)
records.save_table(table, "percentile", key=tables.PERCENTILE_KEY, columns=tables.PERCENTILE_COLUMNS)
table

# %%
source = figures.source_table(project.published() / "connection-sparseness.csv")
figures.global_against_percentile(table, source)

# %% [markdown]
# The knee of a curve is the smallest sparsity at which the error exceeds the unpruned error by 20 points.

# %%
knees = curves.knee_table(table)
records.save_table(knees, "knees", key=curves.KNEE_KEY, columns=curves.KNEE_COLUMNS)
knees

# %%
summary = sparseness_summary.percentile_values(table)
records.save_values(summary)
summary
