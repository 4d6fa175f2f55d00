# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The claims about outputs, decided
#
# Each claim of the source carries a rule, written before anything was measured. Here the rules are applied to the
# recognisers' tables, net by net; a claim's verdict is "partly" when the nets disagree.

# %% tags=["parameters"]
speech_outputs = ""  # folder of the run that measured what pruning does to the outputs

# %%
from prunelab import claims
from prunelab.studies.outputs import summary

verdicts = summary.decide(speech_outputs)
claims.publish(verdicts, "outputs-verdicts")
