# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # What pruning does to the outputs, drawn and summed up
#
# Histograms, shifts and posteriors as they were measured, and what moving the biases saves. Nothing is pruned here.

# %% tags=["parameters"]
outputs = ""  # folder of the run that measured the outputs
correction = ""  # folder of the run that swept the thresholds with corrected biases
output_scale = 0.5  # root mean square weights; where figures show outputs at one threshold

# %%
from prunelab.studies.common.curves import MeanOfNets
from prunelab.studies.outputs import explorer, figures, summary
from prunelab.studies.outputs.tables import (
    AtReference,
    Correction,
    CorrectionGains,
    CorrectionKnees,
    Histograms,
    LargestSavings,
    Layers,
    Posteriors,
    PredictedShifts,
)
from prunelab.tables import of_run

histograms = Histograms.save(of_run(outputs, "histograms", run="speech-outputs", parameter="outputs"))
figures.four_panels(histograms, at=output_scale)

# %%
figures.evolution(histograms)

# %%
shifted = Layers.save(Layers.load(outputs))
figures.layer_shift(shifted, at=output_scale)

# %%
posteriors = Posteriors.save(Posteriors.load(outputs))
figures.order_and_wer(posteriors)

# %%
explorer.output_explorer(histograms, posteriors, start=output_scale)

# %%
predicted = PredictedShifts.save(PredictedShifts.load(outputs))
figures.predicted_against_measured(predicted)

# %%
AtReference.save(summary.at_reference(shifted, posteriors))

# %%
MeanOfNets.save(summary.net_means(shifted, posteriors, predicted), "net-means")

# %% [markdown]
# ## Biases that make up for the shift
#
# A gain stands only where every net has a knee both ways: a net so well rescued that it has none is counted, not
# guessed at.

# %%
corrected = Correction.save(Correction.load(correction, run="speech-correction"))
figures.correction_curves(corrected)

# %%
CorrectionKnees.save(summary.correction_knees(corrected))

# %%
gains, largest = summary.savings(corrected)
CorrectionGains.save(gains)

# %% [markdown]
# Where the correction saves most:

# %%
LargestSavings.save(largest)
