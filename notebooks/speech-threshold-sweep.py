# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Word error against threshold: both signs, positive only, negative only
#
# Experiments 1 to 4 of the source, on a speech recogniser. Weights smaller than a threshold are removed without
# retraining, of both signs or of one. How far can the threshold go before the word error rises, and how many weights
# does it remove?

# %% tags=["parameters"]
corpus = ""  # folder of the run that made the corpus; empty: a small synthetic one is made here
nets = []  # folders of runs that trained recognisers on it; empty: train small ones here
models = ["acoustic-6x64-relu"]  # trained here when `nets` is empty
seeds = [0, 1]  # trained here when `nets` is empty
epochs = 3  # trained here when `nets` is empty
thresholds: list[float] = []  # absolute weight values; empty: scales x root mean square weight
scales = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2, 1.4, 1.6]
device = "cpu"  # where to train and measure: cpu or cuda

# %%
from prunelab.studies.common.corpora import open_or_make
from prunelab.studies.common.prunings import thresholds_of
from prunelab.studies.common.recognisers import open_recognisers
from prunelab.studies.sparseness import experiment
from prunelab.studies.sparseness.tables import SpeechThresholdSweep

speech = open_or_make(corpus, device=device)
trained = open_recognisers(nets, speech, models=models, seeds=seeds, epochs=epochs, device=device)
SpeechThresholdSweep.save(experiment.threshold_table(trained, speech, thresholds_of(trained, thresholds, scales)))
