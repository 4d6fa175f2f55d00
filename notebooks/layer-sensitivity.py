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
device = "cpu"  # where to train and measure: cpu or cuda

# %%
from prunelab.data import load_images
from prunelab.studies.common.nets import open_nets
from prunelab.studies.common.prunings import thresholds_of
from prunelab.studies.sparseness import experiment
from prunelab.studies.sparseness.tables import LayerSensitivity

images = load_images(data, device=device)
trained = open_nets(nets, images, models=models, seeds=seeds, epochs=epochs, device=device)
LayerSensitivity.save(experiment.layer_table(trained, images, thresholds_of(trained, thresholds, scales)))
