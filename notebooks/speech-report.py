# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The first study on recognisers, drawn and summed up
#
# What the sweeps measured, beside the tables that the source printed. Nothing is pruned here.

# %% tags=["parameters"]
corpus = ""  # folder of the run that made the corpus; without its file no utterance is drawn
nets = []  # folders of the runs that trained the recognisers
threshold_sweep = ""  # folder of the run that swept the thresholds
layer_sensitivity = ""  # folder of the run that pruned one layer at a time
percentile = ""  # folder of the run that compared percentile and global threshold
rescaled = ""  # folder of the run that compared them on rescaled nets
threshold_scale = 0.97  # root mean square weights; where the layers are compared

# %%
from pathlib import Path

from IPython.display import display

from prunelab import project
from prunelab.speech import open_corpus
from prunelab.studies.common import figures as common_figures
from prunelab.studies.common.curves import Knees, MeanOfNets, knee_table
from prunelab.studies.sparseness import figures, summary, tables
from prunelab.tables import keep, of_run, of_runs

source = figures.source_table(project.published() / "connection-sparseness.csv")
stored = Path(corpus) / "corpus.safetensors"
if stored.is_file():  # the published run has its tables alone
    keep(of_run(corpus, "corpus"), "corpus", of=Path(corpus) / "tables/corpus.csv")
    display(common_figures.aligned_utterance(open_corpus(stored)))

# %%
sweep = tables.SpeechThresholdSweep.load(threshold_sweep, run="speech-threshold-sweep")
tables.SpeechThresholdSweep.save(sweep)
figures.error_against_threshold(sweep, source, figures.SPEECH)

# %%
figures.error_against_sparsity(sweep, source, figures.SPEECH)

# %%
figures.positive_against_negative(sweep, source, figures.SPEECH)

# %%
figures.two_intervals(sweep)

# %% [markdown]
# ## Experiment 1: both signs
#
# In the source's columns; `best_wer` is, as in the source, the best of all decoders on the test part, and `wer` the
# error with the decoder chosen on the development part.

# %%
experiments = summary.sign_experiments(sweep)
tables.Experiment.save(experiments["experiment-1"], "experiment-1")

# %% [markdown]
# ## Experiment 2: positive weights only

# %%
tables.Experiment.save(experiments["experiment-2"], "experiment-2")

# %% [markdown]
# ## Experiment 3: negative weights only

# %%
tables.Experiment.save(experiments["experiment-3"], "experiment-3")

# %% [markdown]
# ## Experiment 4: positive against negative

# %%
tables.Experiment.save(experiments["experiment-4"], "experiment-4")

# %% [markdown]
# The knee of a curve is the smallest sparsity at which the error exceeds the unpruned error by 20 points. Then the same
# under each way of choosing decoders.

# %%
Knees.save(knee_table(sweep))

# %%
tables.DecoderKnees.save(summary.decoder_knees(sweep))

# %% [markdown]
# ## Experiment 5: one layer at one threshold
#
# In the source's columns; the sparse rate counts all weights of the net.

# %%
layers = tables.SpeechLayerSensitivity.load(layer_sensitivity, run="speech-layer-sensitivity")
tables.SpeechLayerSensitivity.save(layers)
tables.Experiment.save(summary.layer_experiment(layers, threshold_scale), "experiment-5")

# %%
tables.LayerCosts.save(summary.layer_costs(layers, threshold_scale))

# %%
figures.layer_costs(layers, source, threshold_scale)

# %%
figures.layer_sparsity(layers, source, threshold_scale, figures.SPEECH)

# %%
figures.layer_error(layers, figures.SPEECH)

# %% [markdown]
# ## Experiment 6: percentiles against one threshold
#
# In the source's columns; of `pct` the threshold is the fraction asked, of `abs` the magnitude that removes it.

# %%
pairs = tables.SpeechPercentile.save(tables.SpeechPercentile.load(percentile, run="speech-percentile"))
tables.Experiment.save(summary.percentile_experiment(pairs), "experiment-6")

# %%
Knees.save(knee_table(pairs), "percentile-knees")

# %%
tables.KneeGains.save(summary.knee_gains(pairs))

# %%
figures.global_against_percentile(pairs, source, figures.SPEECH)

# %% [markdown]
# ## Layers of other scale

# %%
scaled = tables.Rescaled.save(tables.Rescaled.load(rescaled, run="speech-rescaled"))
figures.rescaled_curves(scaled)

# %%
tables.RescaledGains.save(summary.rescaled_gains(scaled))

# %% [markdown]
# ## Over seeds

# %%
dense = of_runs(nets, "dense", run="speech-relu", parameter="nets")
MeanOfNets.save(summary.net_means(dense, sweep, layers, threshold_scale), "net-means")
