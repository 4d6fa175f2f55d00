# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Does one global threshold beat percentiles because of the layers' scale?
#
# A ReLU passes a positive factor on: a layer can be multiplied by it and the next one divided, and the net computes
# the same. Percentiles then remove the same weights as before; one global threshold does not. Here the trained nets
# get layers of equal scale, and of scale that rises or falls with depth. Does the comparison come out the same?

# %% tags=["parameters"]
corpus = ""  # folder of the run that made the corpus; empty: a small synthetic one is made here
nets = []  # folders of runs that trained recognisers on it; empty: train small ones here
models = ["acoustic-6x64-relu"]  # trained here when `nets` is empty
seeds = [0, 1]  # trained here when `nets` is empty
epochs = 3  # trained here when `nets` is empty
fractions = [0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
spread = 2.0  # root mean square weight of the last layer to the first where the scale rises, inverse where it falls
device = "cpu"  # where to train and measure: cpu or cuda

# %%
from prunelab.studies.common.corpora import open_or_make
from prunelab.studies.common.recognisers import open_recognisers
from prunelab.studies.sparseness import experiment
from prunelab.studies.sparseness.tables import Rescaled

speech = open_or_make(corpus, device=device)
trained = open_recognisers(nets, speech, models=models, seeds=seeds, epochs=epochs, device=device)
Rescaled.save(experiment.rescaled_table(trained, speech, fractions, spread=spread))
