# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The claims about mean replacement
#
# Each claim of the source carries a rule, written before anything was measured. Here the rules are applied net by net,
# on training and on test examples; a claim's verdict is "partly" when these disagree.

# %% tags=["parameters"]
penalties: list[str] = []  # folders of the runs that measured penalties during training, one a net and data
fine_tuning: list[str] = []  # folders of the runs that tuned pruned nets; without one its claim is not decided
iterative: list[str] = []  # folders of the runs that pruned in rounds and in one shot; likewise

# %%
from prunelab import claims
from prunelab.studies.units import rules

verdicts = rules.decide_runs(penalties, fine_tuning=fine_tuning, iterative=iterative)
claims.publish(verdicts)
