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
from prunelab.data import load_images
from prunelab.studies.common.nets import open_nets
from prunelab.studies.common.prunings import thresholds_of
from prunelab.studies.sparseness import experiment
from prunelab.studies.sparseness.tables import ThresholdSweep

images = load_images(data, device=device)
trained = open_nets(nets, images, models=models, seeds=seeds, epochs=epochs, device=device)
ThresholdSweep.save(experiment.threshold_table(trained, images, thresholds_of(trained, thresholds, scales)))
