# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The sources' tables, audited
#
# Are the printed numbers consistent with each other? Some must satisfy identities: the weights below a threshold are
# its positives and its negatives, the layers make up the whole, a larger threshold removes more, parts add up to a
# total. Each number is shown as printed, beside the value the others imply.

# %% tags=["parameters"]
tables = ""  # folder of the sources' tables; empty: those published with this report

# %%
from pathlib import Path

from prunelab import audit, records

folder = Path(tables) if tables else None
sparseness = audit.read("connection-sparseness", folder)
variants = audit.read("lenet-variants", folder)
found = audit.findings(sparseness, variants)
records.save_table(found, "findings", key=audit.KEY, columns=audit.COLUMNS)
len(found)

# %% [markdown]
# ## Every identity, and in how many rows it holds
#
# An identity fails where a number is off by more than rounding can explain; where it needs a value between printed
# rows, by more than the neighbouring rows allow.

# %%
summary = audit.summary(found)
records.save_table(summary, "identities", key=("table", "identity"), columns=audit.SUMMARY_COLUMNS)
summary

# %% [markdown]
# ## The rows that fail or are in doubt
#
# Doubtful rows break no identity, but agree with another row in every digit where that is no matter of course.

# %%
slips = audit.slips(found)
records.save_table(slips, "slips", key=("table", "row"), columns=audit.SLIP_COLUMNS)
slips

# %% [markdown]
# ## The answer in numbers

# %%
values = audit.values(found)
records.save_values(values)
values
