# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The claims about pruning and retraining LeNet
#
# Each claim of the source carries a rule, written before anything was measured. Here the rules are applied to the
# tables of both recipes, net by net; a claim's verdict is "partly" when nets or recipes disagree.

# %% tags=["parameters"]
dense: list[str] = []  # folders of the runs that trained dense nets, one a recipe
pruned: list[str] = []  # folders of the runs that pruned them, with masks and with weights trained again
active = ""  # folder of the run that counted active units
removal = ""  # folder of the run that removed activations
target = "2660"  # label of the weights left at which pruned nets are looked at
targets = ["2660", "1641"]  # labels at which masks and weights trained again are compared

# %%
from prunelab import claims
from prunelab.claims import deciding
from prunelab.studies.lenet import rules

tables, where = deciding(
    {
        "dense": dense or [""],
        "modes": [*dense, *pruned] or [""],
        "pruned": pruned or [""],
        "layers": pruned or [""],
        "active": [active],
        "removal": [removal],
    },
    rules.RUNS,
)
claims.publish(rules.verdicts(tables, where=where, target=target, targets=targets))
