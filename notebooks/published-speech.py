# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The published runs on speech, drawn again
#
# The figures of the studies on recognisers from the tables of the full profile as published with this report, without
# running anything again.

# %% tags=["parameters"]
threshold_sweep = ""  # folder of the published threshold sweep
layer_sensitivity = ""  # folder of the published one-layer sweep
percentile = ""  # folder of the published comparison of percentile and global threshold
rescaled = ""  # folder of the published comparison on rescaled nets
outputs = ""  # folder of the published measurement of outputs
correction = ""  # folder of the published sweep with corrected biases
threshold_scale = 0.97  # root mean square weights; where the layers are compared
output_scale = 0.5  # root mean square weights; where figures show outputs at one threshold

# %%
from prunelab import project, records
from prunelab.studies.outputs import explorer, figures, tables
from prunelab.studies.sparseness import figures as sparseness_figures, rescaling, tables as sparseness_tables
from prunelab.studies.sparseness.figures import SPEECH
from prunelab.studies.common.runs import table_of

source = sparseness_figures.source_table(project.published() / "connection-sparseness.csv")
sweep = table_of(threshold_sweep, "threshold-sweep")
records.save_table(
    sweep, "threshold-sweep", key=sparseness_tables.THRESHOLD_KEY, columns=sparseness_tables.SPEECH_THRESHOLD_COLUMNS
)
sparseness_figures.error_against_threshold(sweep, source, SPEECH)

# %%
sparseness_figures.error_against_sparsity(sweep, source, SPEECH)

# %%
sparseness_figures.positive_against_negative(sweep, source, SPEECH)

# %%
sparseness_figures.two_intervals(sweep)

# %%
layers = table_of(layer_sensitivity, "layer-sensitivity")
records.save_table(
    layers, "layer-sensitivity", key=sparseness_tables.LAYER_KEY, columns=sparseness_tables.SPEECH_LAYER_COLUMNS
)
sparseness_figures.layer_costs(layers, source, threshold_scale)

# %%
sparseness_figures.layer_sparsity(layers, source, threshold_scale, SPEECH)

# %%
sparseness_figures.layer_error(layers, SPEECH)

# %%
pairs = table_of(percentile, "percentile")
records.save_table(
    pairs, "percentile", key=sparseness_tables.PERCENTILE_KEY, columns=sparseness_tables.SPEECH_PERCENTILE_COLUMNS
)
sparseness_figures.global_against_percentile(pairs, source, SPEECH)

# %%
scaled = table_of(rescaled, "rescaled")
records.save_table(scaled, "rescaled", key=rescaling.RESCALED_KEY, columns=rescaling.RESCALED_COLUMNS)
sparseness_figures.rescaled_curves(scaled)

# %%
histograms = table_of(outputs, "histograms")
records.save_table(histograms, "histograms", key=tables.HISTOGRAMS_KEY, columns=tables.HISTOGRAMS_COLUMNS)
figures.four_panels(histograms, at=output_scale)

# %%
figures.evolution(histograms)

# %%
shifted = table_of(outputs, "layers")
records.save_table(shifted, "layers", key=tables.LAYERS_KEY, columns=tables.LAYERS_COLUMNS)
figures.layer_shift(shifted, at=output_scale)

# %%
posteriors = table_of(outputs, "posteriors")
records.save_table(posteriors, "posteriors", key=tables.POSTERIORS_KEY, columns=tables.POSTERIORS_COLUMNS)
figures.order_and_wer(posteriors)

# %%
explorer.output_explorer(histograms, posteriors, start=output_scale)

# %%
predicted = table_of(outputs, "predicted-shifts")
records.save_table(predicted, "predicted-shifts", key=tables.SHIFTS_KEY, columns=tables.SHIFTS_COLUMNS)
figures.predicted_against_measured(predicted)

# %%
corrected = table_of(correction, "correction")
records.save_table(corrected, "correction", key=tables.CORRECTION_KEY, columns=tables.CORRECTION_COLUMNS)
figures.correction_curves(corrected)
