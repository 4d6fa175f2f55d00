# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Thresholds and hardware: the figures
#
# What the searches for thresholds found, and what pruned nets gain on hardware, on several nets put together. Nothing
# is searched or timed here.

# %% tags=["parameters"]
choices: list[str] = []  # folders of the runs that chose thresholds
hardware: list[str] = []  # folders of the runs that timed pruned nets, one a net
names: list[str] = []  # of each of these, what its net is called in the names of values and figures, as lenet

# %%
from IPython.display import display

from prunelab import records
from prunelab.studies import functions
from prunelab.studies.choices import summary
from prunelab.studies.hardware import figures
from prunelab.studies.common import runs

searched = runs.joined(choices, "threshold-choices", run="choose-thresholds")
runs.keep(searched, "threshold-choices", folder=choices[0], of="threshold-choices")
summary.found_by_bound(searched)

# %% [markdown]
# ## Structured or not

# %%
nets = functions.read(hardware, names)
functions.keep_joined(nets)
for net in nets:
    display(figures.accuracy_figure(net.tables["forms"], suffix=net.suffix))
    display(figures.size_figure(net.tables["forms"], suffix=net.suffix))

# %% [markdown]
# What follows was measured with a clock, and differs from run to run.

# %%
for net in nets:
    display(figures.latency_figure(net.tables["latency"], net.tables["crossovers"], suffix=net.suffix))

# %%
values = summary.choice_values(searched) | functions.hardware_values_of(nets)
records.save_values(values)
values
