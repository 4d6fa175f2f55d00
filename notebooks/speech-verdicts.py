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
from prunelab import claims
from prunelab.claims import deciding
from prunelab.studies.sparseness import rules, summary
from prunelab.studies.sparseness.tables import Criteria, CriteriaChanges

folders = {"threshold-sweep": threshold_sweep, "layer-sensitivity": layer_sensitivity, "percentile": percentile}
tables, where = deciding(
    {name: [folder] for name, folder in folders.items()}, {name: f"speech-{name}" for name in folders}
)
claims.publish(rules.verdicts(tables, where=where, threshold_scale=threshold_scale))

# %% [markdown]
# The verdicts stand on decoders chosen on the development part for every pruned net (`dev`). The source took the best
# decoder on the test part each time (`best`); one could also keep the unpruned net's decoder (`fixed`).

# %%
criteria = Criteria.save(summary.criteria(tables, threshold_scale, layer_scales))
criteria

# %%
CriteriaChanges.save(summary.criteria_changes(criteria, threshold_scale))
