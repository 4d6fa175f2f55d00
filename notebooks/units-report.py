# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Removing units and replacing them by their mean: the figures
#
# What the runs of this study measured, put together: how much the loss rises when units are set to zero and when their
# mean activation is carried on instead, which units the scores choose, what is left of it after tuning and in pruning
# by rounds, and what other corrections gain at what cost. Nothing is trained here. Runs that are not named are left
# out.

# %% tags=["parameters"]
penalties: list[str] = []  # folders of the runs that measured penalties along the training of one net, by seeds
vgg = ""  # folder of the run that did so for a deeper net; may be empty
fine_tuning: list[str] = []  # folders of the runs that trained pruned nets on; may be empty
iterative: list[str] = []  # folders of the runs that pruned in rounds and in one shot; may be empty
corrections: list[str] = []  # folders of the runs that compared means and other corrections, one a net; may be empty
part = "train"  # examples whose penalties are drawn, "train" or "test"

# %%
from IPython.display import display

from prunelab import records
from prunelab.studies.common import runs
from prunelab.studies.units import figures, labels, summary as units_summary

measured = runs.joined(penalties, "penalties", run="units-penalties")
pairs = units_summary.paired(measured, part)
records.save_table(pairs, "pairs", key=units_summary.PAIRS_KEY, columns=units_summary.PAIRS_COLUMNS)
figures.penalties_along_training(pairs, part)

# %%
curves = runs.joined(penalties, "curves", run="units-penalties")
runs.keep(curves, "curves", folder=penalties[0], of="curves")
figures.training_curves(curves)

# %% [markdown]
# ## With and without replacement

# %%
means = units_summary.mean_penalties(measured)
records.save_table(means, "means", key=units_summary.MEAN_KEY, columns=units_summary.MEAN_COLUMNS)
means[(means["part"] == part) & means["layers"].isin([labels.ONE, labels.ALL])]

# %%
figures.scatter_replacement(pairs)

# %%
figures.scatter_by_layer(pairs)

# %%
profiles, areas = units_summary.profile_tables(pairs)
records.save_table(profiles, "profiles", key=units_summary.PROFILES_KEY, columns=units_summary.PROFILES_COLUMNS)
records.save_table(areas, "areas", key=units_summary.AREAS_KEY, columns=units_summary.AREAS_COLUMNS)
figures.profiles_figure(profiles, areas)

# %% [markdown]
# ## One layer: penalties, activations, choices

# %%
figures.one_layer(pairs, part)

# %%
squares = runs.joined(penalties, "squares", run="units-penalties")
bins, deciles = units_summary.squares_histogram(squares), units_summary.squares_deciles(squares)
records.save_table(bins, "squares", key=units_summary.BINS_KEY, columns=units_summary.BINS_COLUMNS)
records.save_table(deciles, "deciles", key=units_summary.DECILES_KEY, columns=units_summary.DECILES_COLUMNS)
figures.squares_figure(bins, deciles)

# %%
choices = runs.joined(penalties, "choices", run="units-penalties")
choices = choices[choices["layer"] == labels.second_convolution(choices)]
runs.keep(choices, "choices", folder=penalties[0], of="choices")
figures.choices_figure(choices)

# %% [markdown]
# ## After tuning

# %%
tuned_means = None
if fine_tuning:
    fine_tuned = runs.joined(fine_tuning, "fine-tuned", run="units-fine-tuning")
    tuned = units_summary.tuned_pairs(fine_tuned, part)
    records.save_table(tuned, "tuned", key=units_summary.TUNED_KEY, columns=units_summary.TUNED_COLUMNS)
    tuned_means = units_summary.tuned_means(fine_tuned)
    records.save_table(tuned_means, "tuned-means", key=units_summary.TUNING_KEY, columns=units_summary.TUNING_COLUMNS)
    for half in dict.fromkeys(tuned["half"]):
        display(figures.scatter_tuned(tuned, half))
    display(figures.methods_by_tuning(tuned, figures.comparisons_in(tuned)))

# %% [markdown]
# ## In rounds and in one shot

# %%
pruned = None
if iterative:
    pruned = runs.joined(iterative, "iterative", run="units-iterative")
    runs.keep(pruned, "iterative", folder=iterative[0], of="iterative")
    spreads = units_summary.spreads(pruned)
    records.save_table(spreads, "spreads", key=units_summary.SPREADS_KEY, columns=units_summary.SPREADS_COLUMNS)
    display(figures.iterative_figure(pruned))

# %% [markdown]
# ## Which mean, and at what cost

# %%
worth = {}
for folder in corrections:
    suffix = runs.suffix_of(folder, corrections[0])
    corrected = units_summary.correction_means(runs.table_of(folder, "corrections", run="units-corrections"))
    records.save_table(
        corrected, f"corrections{suffix}", key=units_summary.MEANS_KEY, columns=units_summary.MEANS_COLUMNS
    )
    worth |= units_summary.correction_values(corrected, suffix=suffix)
    display(figures.which_mean(corrected, part, suffix=suffix))
    display(figures.penalty_against_cost(corrected, part, suffix=suffix))

# %%
summary = worth | units_summary.report_values(
    means, areas, curves, choices, deciles=deciles, tuned=tuned_means, iterative=pruned
)

# %% [markdown]
# ## A deeper net

# %%
if vgg:
    deep = runs.table_of(vgg, "penalties")
    deep_pairs = units_summary.paired(deep, part)
    deep_curves = runs.table_of(vgg, "curves")
    deep_choices = runs.table_of(vgg, "choices")
    deep_means = units_summary.mean_penalties(deep)
    deep_profiles, deep_areas = units_summary.profile_tables(deep_pairs)
    records.save_table(deep_pairs, "pairs-vgg", key=units_summary.PAIRS_KEY, columns=units_summary.PAIRS_COLUMNS)
    records.save_table(deep_means, "means-vgg", key=units_summary.MEAN_KEY, columns=units_summary.MEAN_COLUMNS)
    records.save_table(
        deep_profiles, "profiles-vgg", key=units_summary.PROFILES_KEY, columns=units_summary.PROFILES_COLUMNS
    )
    records.save_table(deep_areas, "areas-vgg", key=units_summary.AREAS_KEY, columns=units_summary.AREAS_COLUMNS)
    runs.keep(deep_curves, "curves-vgg", folder=vgg, of="curves")
    display(figures.penalties_along_training(deep_pairs, part, suffix="-vgg"))
    display(figures.training_curves(deep_curves, suffix="-vgg"))
    display(figures.scatter_replacement(deep_pairs, suffix="-vgg"))
    display(figures.scatter_by_layer(deep_pairs, suffix="-vgg"))
    display(figures.profiles_figure(deep_profiles, deep_areas, suffix="-vgg"))
    summary |= units_summary.report_values(deep_means, deep_areas, deep_curves, deep_choices, prefix="vgg-")

# %%
records.save_values(summary)
summary
