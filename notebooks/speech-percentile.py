# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # One global threshold against the same percentile everywhere, on the recogniser
#
# Experiment 6 of the source, on a speech recogniser: removing the same fraction of each layer's positive and of its
# negative weights, against one magnitude threshold for the whole net. Which keeps the word error low to a higher
# sparsity?

# %% tags=["parameters"]
corpus = ""  # folder of the run that made the corpus; empty: a small synthetic one is made here
nets = []  # folders of runs that trained recognisers on it; empty: train small ones here
models = ["acoustic-6x64-relu"]  # trained here when `nets` is empty
seeds = [0, 1]  # trained here when `nets` is empty
epochs = 3  # trained here when `nets` is empty
fractions = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
device = "cpu"  # where to train and measure: cpu or cuda

# %%
from prunelab.studies.common.corpora import open_or_make
from prunelab.studies.common.recognisers import open_recognisers
from prunelab.studies.sparseness import experiment
from prunelab.studies.sparseness.tables import SpeechPercentile

speech = open_or_make(corpus, device=device)
trained = open_recognisers(nets, speech, models=models, seeds=seeds, epochs=epochs, device=device)
SpeechPercentile.save(experiment.percentile_table(trained, speech, fractions))
