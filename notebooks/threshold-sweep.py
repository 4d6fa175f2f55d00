# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Test error against threshold: both signs, positive only, negative only
#
# Experiments 1 to 4 of the source, on image nets. Weights smaller than a threshold are removed without retraining,
# of both signs or of one. How far can the threshold go before the error rises, and how many weights does it remove?

# %% tags=["parameters"]
nets = []  # folders of runs that trained nets; empty: train small ones here
data = "digits"  # what the nets were trained on, and are measured on
models = ["lenet-300-100-relu"]  # trained here when `nets` is empty
seeds = [0, 1, 2]  # trained here when `nets` is empty
epochs = 10  # trained here when `nets` is empty
thresholds: list[float] = []  # absolute weight values; empty: scales x root mean square weight
scales = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2, 1.4, 1.6, 1.8, 2.0, 2.4, 2.8, 3.2, 3.6, 4.0]
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
table = experiment.threshold_table(trained, images, prunings.thresholds_of(trained, thresholds, scales))
records.save_table(table, "threshold-sweep", key=tables.THRESHOLD_KEY, columns=tables.THRESHOLD_COLUMNS)
table

# %%
source = figures.source_table(project.published() / "connection-sparseness.csv")
figures.error_against_threshold(table, source)

# %%
figures.error_against_sparsity(table, source)

# %%
figures.positive_against_negative(table, source)

# %% [markdown]
# The knee of a curve is the smallest sparsity at which the error exceeds the unpruned error by 20 points.

# %%
knees = curves.knee_table(table)
records.save_table(knees, "knees", key=curves.KNEE_KEY, columns=curves.KNEE_COLUMNS)
knees

# %%
summary = sparseness_summary.threshold_values(table)
records.save_values(summary)
summary
