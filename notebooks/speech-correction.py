# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Does moving the biases rescue a pruned recogniser?
#
# Removing weights takes their mean contribution away from every unit. That mean is known before anything is removed:
# the removed weights times the mean input of their layer over the training frames. Added to the bias, without any
# retraining, how much further does it let the threshold go, for one sign and for both?

# %% tags=["parameters"]
corpus = ""  # folder of the run that made the corpus; empty: a small synthetic one is made here
nets = []  # folders of runs that trained recognisers on it; empty: train small ones here
threshold_sweep = ""  # folder of the run that swept the thresholds of these nets; empty: measured here
models = ["acoustic-3x64-sigmoid", "acoustic-3x64-tanh", "acoustic-3x64-relu"]  # trained here when `nets` is empty
seeds = [0, 1]  # trained here when `nets` is empty
epochs = 4  # trained here when `nets` is empty
scales = [0.2, 0.4, 0.5, 0.65, 0.8, 1.0, 1.3, 1.6, 2.0]  # thresholds, in root mean square weights
device = "cpu"  # where to train and measure: cpu or cuda

# %%
from prunelab import tables
from prunelab.studies.common.corpora import open_or_make
from prunelab.studies.common.prunings import thresholds_of
from prunelab.studies.common.recognisers import open_recognisers
from prunelab.studies.outputs import experiment
from prunelab.studies.outputs.tables import Correction

heard = open_or_make(corpus, device=device)
trained = open_recognisers(nets, heard, models=models, seeds=seeds, epochs=epochs, device=device)
plain = tables.of_run(threshold_sweep, "threshold-sweep") if threshold_sweep else None
thresholds = thresholds_of(trained, [], scales)
Correction.save(experiment.correction_table(trained, heard, thresholds, plain=plain, device=device))
