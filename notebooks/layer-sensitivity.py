# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # One layer at a time
#
# Experiment 5 of the source, on image nets: the same threshold in one layer after another. Which layer gains most
# sparsity, which costs most error, and are they the same?

# %% tags=["parameters"]
nets = []  # folders of runs that trained nets; empty: train small ones here
data = "digits"  # what the nets were trained on, and are measured on
models = ["lenet-300-100-relu"]  # trained here when `nets` is empty
seeds = [0, 1, 2]  # trained here when `nets` is empty
epochs = 10  # trained here when `nets` is empty
thresholds: list[float] = []  # absolute weight values; empty: scales x root mean square weight
scales = [0.25, 0.5, 0.75, 0.97, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 3.5, 4.0]
threshold_scale = 0.97  # where the claim is decided: the source's 0.15, in units of its root mean square weight
device = "cpu"  # where to train and measure: cpu or cuda

# %%
from prunelab import project, records
from prunelab.data import load_images
from prunelab.studies.common import prunings
from prunelab.studies.common import curves
from prunelab.studies.sparseness import experiment, figures, summary as sparseness_summary, tables
from prunelab.studies.common.nets import open_nets

images = load_images(data, device=device)
trained = open_nets(nets, images, models=models, seeds=seeds, epochs=epochs, device=device)
table = experiment.layer_table(trained, images, prunings.thresholds_of(trained, thresholds, scales))
records.save_table(table, "layer-sensitivity", key=tables.LAYER_KEY, columns=tables.LAYER_COLUMNS)
curves.at_scale(table, threshold_scale)

# %%
figures.layer_error(table)

# %%
source = figures.source_table(project.published() / "connection-sparseness.csv")
figures.layer_sparsity(table, source, threshold_scale)

# %%
summary = sparseness_summary.layer_values(table, threshold_scale)
records.save_values(summary)
summary
