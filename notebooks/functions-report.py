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
names: list[str] = []  # of each of these, what its net is called in the names of figures, as lenet

# %%
from IPython.display import display

from prunelab import tables
from prunelab.studies.choices import figures as choices_figures, summary as choices_summary
from prunelab.studies.choices.tables import ThresholdChoices, ThresholdsFound, ThresholdsHeld
from prunelab.studies.hardware import figures as hardware_figures, summary as hardware_summary

searched = ThresholdChoices.save(tables.of_runs(choices, "threshold-choices", run="choose-thresholds"))
choices_figures.found_by_bound(searched)

# %%
ThresholdsFound.save(choices_summary.found_table(searched))

# %%
ThresholdsHeld.save(choices_summary.held_table(searched))

# %% [markdown]
# ## Structured or not

# %%
nets = hardware_summary.read(hardware, names)
hardware_summary.save(nets)
for name, net in nets.items():
    display(hardware_figures.accuracy_figure(net["forms"], suffix=f"-{name}"))
    display(hardware_figures.size_figure(net["forms"], suffix=f"-{name}"))

# %% [markdown]
# What follows was measured with a clock, and differs from run to run.

# %%
for name, net in nets.items():
    display(hardware_figures.latency_figure(net["latency"], net["crossovers"], suffix=f"-{name}"))
