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
from prunelab import project, records
from prunelab.studies.common import prunings
from prunelab.studies.common import curves
from prunelab.studies.sparseness import experiment, figures, summary as sparseness_summary, tables
from prunelab.studies.common.corpora import open_or_make
from prunelab.studies.common.recognisers import open_recognisers
from prunelab.studies.sparseness.figures import SPEECH
from prunelab.studies.common.curves import knee_table

speech = open_or_make(corpus, device=device)
trained = open_recognisers(nets, speech, models=models, seeds=seeds, epochs=epochs, device=device)
table = experiment.speech_threshold_table(trained, speech, prunings.thresholds_of(trained, thresholds, scales))
records.save_table(table, "threshold-sweep", key=tables.THRESHOLD_KEY, columns=tables.SPEECH_THRESHOLD_COLUMNS)
table

# %% [markdown]
# ## Experiment 1: both signs
#
# In the source's columns; `best_wer` is, as in the source, the best of all decoders on the test part, and `wer` the
# error with the decoder chosen on the development part.

# %%
experiments = sparseness_summary.sign_experiments(table)
sparseness_summary.save(experiments)
experiments["experiment-1"]

# %% [markdown]
# ## Experiment 2: positive weights only

# %%
experiments["experiment-2"]

# %% [markdown]
# ## Experiment 3: negative weights only

# %%
experiments["experiment-3"]

# %% [markdown]
# ## Experiment 4: positive against negative

# %%
experiments["experiment-4"]

# %%
source = figures.source_table(project.published() / "connection-sparseness.csv")
figures.error_against_threshold(table, source, SPEECH)

# %%
figures.error_against_sparsity(table, source, SPEECH)

# %%
figures.positive_against_negative(table, source, SPEECH)

# %%
figures.two_intervals(table)

# %% [markdown]
# The knee of a curve is the smallest sparsity at which the error exceeds the unpruned error by 20 points.

# %%
knees = knee_table(table)
records.save_table(knees, "knees", key=curves.KNEE_KEY, columns=curves.KNEE_COLUMNS)
knees

# %%
summary = sparseness_summary.speech_threshold_values(table)
records.save_values(summary)
summary
