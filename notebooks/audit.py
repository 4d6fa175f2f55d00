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

from prunelab import audit

folder = Path(tables) if tables else None
sparseness = audit.read("connection-sparseness", folder)
variants = audit.read("lenet-variants", folder)
found = audit.findings(sparseness, variants)
len(audit.Finding.save(found))

# %% [markdown]
# ## Every identity, and in how many rows it holds
#
# An identity fails where a number is off by more than rounding can explain; where it needs a value between printed
# rows, by more than the neighbouring rows allow.

# %%
audit.Identity.save(audit.summary(found))

# %% [markdown]
# ## The rows that fail or are in doubt
#
# Doubtful rows break no identity, but agree with another row in every digit where that is no matter of course.

# %%
audit.Slip.save(audit.slips(found))

# %% [markdown]
# ## The answer in numbers

# %%
audit.Answer.save(audit.answer(found))
