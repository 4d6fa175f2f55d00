# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The claims about sparseness, held against image nets
#
# Each claim of the source carries a rule, written before anything was measured. Here the rules are applied to the
# image nets' tables, net by net; a claim's verdict is "partly" when the nets disagree. The source's own task is
# decided on recognisers.

# %% tags=["parameters"]
threshold_sweep = ""  # folder of the run that swept the thresholds
layer_sensitivity = ""  # folder of the run that pruned one layer at a time
percentile = ""  # folder of the run that compared percentile and global threshold
threshold_scale = 0.97  # root mean square weights; the one threshold at which the layers are compared

# %%
from prunelab import claims
from prunelab.claims import deciding
from prunelab.studies.sparseness import rules

folders = {"threshold-sweep": threshold_sweep, "layer-sensitivity": layer_sensitivity, "percentile": percentile}
tables, where = deciding({name: [folder] for name, folder in folders.items()}, {name: name for name in folders})
claims.publish(rules.verdicts(tables, where=where, threshold_scale=threshold_scale, study="images"))
