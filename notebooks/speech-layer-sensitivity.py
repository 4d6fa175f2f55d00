# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # One layer of the recogniser at a time
#
# Experiment 5 of the source, on a speech recogniser: the same threshold in one layer after another. Which layer gains
# most sparsity, which costs most words, and are they the same?

# %% tags=["parameters"]
corpus = ""  # folder of the run that made the corpus; empty: a small synthetic one is made here
nets = []  # folders of runs that trained recognisers on it; empty: train small ones here
models = ["acoustic-6x64-relu"]  # trained here when `nets` is empty
seeds = [0, 1]  # trained here when `nets` is empty
epochs = 3  # trained here when `nets` is empty
thresholds: list[float] = []  # absolute weight values; empty: scales x root mean square weight
scales = [0.5, 0.75, 0.97, 1.25, 1.5, 2.0]
device = "cpu"  # where to train and measure: cpu or cuda

# %%
from prunelab.studies.common.corpora import open_or_make
from prunelab.studies.common.prunings import thresholds_of
from prunelab.studies.common.recognisers import open_recognisers
from prunelab.studies.sparseness import experiment
from prunelab.studies.sparseness.tables import SpeechLayerSensitivity

speech = open_or_make(corpus, device=device)
trained = open_recognisers(nets, speech, models=models, seeds=seeds, epochs=epochs, device=device)
SpeechLayerSensitivity.save(experiment.layer_table(trained, speech, thresholds_of(trained, thresholds, scales)))
