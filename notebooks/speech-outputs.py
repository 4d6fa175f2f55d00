# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # What pruning does to a recogniser's outputs
#
# The source showed pictures: the outputs of the last activation of an unpruned net beside the same after pruning both
# signs, the positive weights only and the negative ones only, at one threshold and over several. Here they are drawn
# again, and what the source argued from them is measured: how far each layer's outputs shift, whether its units still
# move, and whether the order of the posteriors survives.

# %% tags=["parameters"]
corpus = ""  # folder of the run that made the corpus; empty: a small synthetic one is made here
nets = []  # folders of runs that trained recognisers on it; empty: train small ones here
models = ["acoustic-3x64-sigmoid", "acoustic-3x64-tanh", "acoustic-3x64-relu"]  # trained here when `nets` is empty
seeds = [0, 1]  # trained here when `nets` is empty
epochs = 4  # trained here when `nets` is empty
scales = [0.1, 0.2, 0.3, 0.4, 0.5, 0.65, 0.8, 1.0, 1.3, 1.6, 2.0]  # thresholds, in root mean square weights
device = "cpu"  # where to train and measure: cpu or cuda

# %%
from prunelab.studies.common.corpora import open_or_make
from prunelab.studies.common.prunings import thresholds_of
from prunelab.studies.common.recognisers import open_recognisers
from prunelab.studies.outputs import experiment
from prunelab.studies.outputs.tables import Histograms, Layers, Posteriors, PredictedShifts

heard = open_or_make(corpus, device=device)
trained = open_recognisers(nets, heard, models=models, seeds=seeds, epochs=epochs, device=device)
measured = experiment.measure(trained, heard, thresholds_of(trained, [], scales), device=device)
Histograms.save(measured[Histograms])

# %% [markdown]
# Layer by layer: how far the mean of a unit's pre-activation moves, in standard deviations of the unpruned net, how
# its spread changes, and how many units end up where the activation no longer answers.

# %%
Layers.save(measured[Layers])

# %% [markdown]
# Frame by frame: the posteriors beside those of the unpruned net, and the word error.

# %%
Posteriors.save(measured[Posteriors])

# %% [markdown]
# Can the shift be foretold? From the removed weights and the mean input of a layer in the unpruned net alone, and with
# the shifts of the layers before carried through.

# %%
PredictedShifts.save(measured[PredictedShifts])
