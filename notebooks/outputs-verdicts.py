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
from pathlib import Path

from prunelab import claims
from prunelab.studies.outputs import rules
from prunelab.tables import of_run

names = ("layers", "posteriors")
tables = {name: of_run(speech_outputs, name, run="speech-outputs", parameter="speech_outputs") for name in names}
where = {name: f"{Path(speech_outputs).name}/tables/{name}.csv" for name in names}
claims.publish(rules.verdicts(tables, where=where), "outputs-verdicts")
