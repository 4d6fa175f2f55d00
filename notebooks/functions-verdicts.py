# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The claims about pruning functions
#
# Each claim of the source carries a rule, written before anything was measured. Here the rules are applied net by net:
# to the kinds of pruning function one-shot and retrained, to every kind of bound that a threshold was chosen by, and to
# the times of every batch size and number of threads. A claim's verdict is "partly" when these disagree.

# %% tags=["parameters"]
kinds = ""  # folder of the run that put the comparisons of kinds together; without one its claim is not decided
choices = ""  # folder of the run that put the choices of thresholds together; likewise
hardware = ""  # folder of the run that put the measured times together; likewise

# %%
from prunelab import claims
from prunelab.studies import functions

verdicts = functions.decide(kinds=kinds, choices=choices, hardware=hardware)
claims.publish(verdicts, varies=bool(hardware))
