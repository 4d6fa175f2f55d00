# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The claims about sparseness, decided on recognisers
#
# Each claim of the source carries a rule, written before anything was measured. Here the rules are applied to the
# recognisers' tables, net by net; a claim's verdict is "partly" when the nets disagree. Then the same rules once more,
# with decoders chosen in other ways: does a verdict depend on it?

# %% tags=["parameters"]
threshold_sweep = ""  # folder of the run that swept the thresholds
layer_sensitivity = ""  # folder of the run that pruned one layer at a time
percentile = ""  # folder of the run that compared percentile and global threshold
threshold_scale = 0.97  # root mean square weights; the one threshold at which the layers are compared
layer_scales = [1.5, 2.0]  # other thresholds at which they are compared too

# %%
from prunelab import claims, records
from prunelab.studies.sparseness import summary as sparseness_summary, tables

verdicts = sparseness_summary.decide(threshold_sweep, layer_sensitivity, percentile, threshold_scale, runs="speech-")
claims.publish(verdicts)

# %% [markdown]
# The verdicts stand on decoders chosen on the development part for every pruned net (`dev`). The source took the best
# decoder on the test part each time (`best`); one could also keep the unpruned net's decoder (`fixed`).

# %%
criteria = sparseness_summary.criteria_table(
    threshold_sweep, layer_sensitivity, percentile, threshold_scale, layer_scales
)
records.save_table(criteria, "criteria", key=tables.CRITERIA_KEY, columns=tables.CRITERIA_COLUMNS)
criteria

# %%
summary = sparseness_summary.criteria_values(criteria, threshold_scale)
records.save_values(summary)
summary
