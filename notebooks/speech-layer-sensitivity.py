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
threshold_scale = 0.97  # where the claim is decided: the source's 0.15, in units of its root mean square weight
device = "cpu"  # where to train and measure: cpu or cuda

# %%
from prunelab import project, records
from prunelab.studies.common import prunings
from prunelab.studies.sparseness import experiment, figures, summary as sparseness_summary, tables
from prunelab.studies.common.corpora import open_or_make
from prunelab.studies.common.recognisers import open_recognisers
from prunelab.studies.sparseness.figures import SPEECH

speech = open_or_make(corpus, device=device)
trained = open_recognisers(nets, speech, models=models, seeds=seeds, epochs=epochs, device=device)
table = experiment.speech_layer_table(trained, speech, prunings.thresholds_of(trained, thresholds, scales))
records.save_table(table, "layer-sensitivity", key=tables.LAYER_KEY, columns=tables.SPEECH_LAYER_COLUMNS)
table

# %% [markdown]
# ## Experiment 5: one layer at one threshold
#
# In the source's columns; the sparse rate counts all weights of the net.

# %%
experiments = sparseness_summary.layer_experiment(table, threshold_scale)
sparseness_summary.save(experiments)
experiments["experiment-5"]

# %%
source = figures.source_table(project.published() / "connection-sparseness.csv")
figures.layer_costs(table, source, threshold_scale)

# %%
figures.layer_sparsity(table, source, threshold_scale, SPEECH)

# %%
figures.layer_error(table, SPEECH)

# %%
summary = sparseness_summary.speech_layer_values(table, threshold_scale)
records.save_values(summary)
summary
