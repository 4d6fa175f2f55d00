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
from prunelab.studies import (
    sparseness_summary,
    units_curves_figures,
    units_derived,
    units_figures,
    units_iterative_figure,
    units_labels,
    units_means_figures,
    units_methods_figure,
    units_pairs,
    units_profiles,
    units_report,
    units_runs,
    units_scatter_figures,
)

measured = units_runs.joined(penalties, "penalties", run="units-penalties")
pairs = units_pairs.paired(measured, part)
records.save_table(pairs, "pairs", key=units_pairs.PAIRS_KEY, columns=units_pairs.PAIRS_COLUMNS)
units_curves_figures.penalties_along_training(pairs, part)

# %%
curves = units_runs.joined(penalties, "curves", run="units-penalties")
units_runs.keep(curves, "curves", folder=penalties[0], of="curves")
units_curves_figures.training_curves(curves)

# %% [markdown]
# ## With and without replacement

# %%
means = units_report.mean_penalties(measured)
records.save_table(means, "means", key=units_report.MEAN_KEY, columns=units_report.MEAN_COLUMNS)
means[(means["part"] == part) & means["layers"].isin([units_labels.ONE, units_labels.ALL])]

# %%
units_scatter_figures.scatter_replacement(pairs)

# %%
units_scatter_figures.scatter_by_layer(pairs)

# %%
profiles, areas = units_profiles.profile_tables(pairs)
records.save_table(profiles, "profiles", key=units_profiles.PROFILES_KEY, columns=units_profiles.PROFILES_COLUMNS)
records.save_table(areas, "areas", key=units_profiles.AREAS_KEY, columns=units_profiles.AREAS_COLUMNS)
units_figures.profiles_figure(profiles, areas)

# %% [markdown]
# ## One layer: penalties, activations, choices

# %%
units_curves_figures.one_layer(pairs, part)

# %%
squares = units_runs.joined(penalties, "squares", run="units-penalties")
bins, deciles = units_derived.squares_histogram(squares), units_derived.squares_deciles(squares)
records.save_table(bins, "squares", key=units_derived.BINS_KEY, columns=units_derived.BINS_COLUMNS)
records.save_table(deciles, "deciles", key=units_derived.DECILES_KEY, columns=units_derived.DECILES_COLUMNS)
units_figures.squares_figure(bins, deciles)

# %%
choices = units_runs.joined(penalties, "choices", run="units-penalties")
choices = choices[choices["layer"] == units_labels.second_convolution(choices)]
units_runs.keep(choices, "choices", folder=penalties[0], of="choices")
units_curves_figures.choices_figure(choices)

# %% [markdown]
# ## After tuning

# %%
tuned_means = None
if fine_tuning:
    fine_tuned = units_runs.joined(fine_tuning, "fine-tuned", run="units-fine-tuning")
    tuned = units_pairs.tuned_pairs(fine_tuned, part)
    records.save_table(tuned, "tuned", key=units_pairs.TUNED_KEY, columns=units_pairs.TUNED_COLUMNS)
    tuned_means = units_report.tuned_means(fine_tuned)
    records.save_table(tuned_means, "tuned-means", key=units_report.TUNING_KEY, columns=units_report.TUNING_COLUMNS)
    for half in dict.fromkeys(tuned["half"]):
        display(units_scatter_figures.scatter_tuned(tuned, half))
    display(units_methods_figure.methods_by_tuning(tuned, units_methods_figure.comparisons_in(tuned)))

# %% [markdown]
# ## In rounds and in one shot

# %%
pruned = None
if iterative:
    pruned = units_runs.joined(iterative, "iterative", run="units-iterative")
    units_runs.keep(pruned, "iterative", folder=iterative[0], of="iterative")
    spreads = units_derived.spreads(pruned)
    records.save_table(spreads, "spreads", key=units_derived.SPREADS_KEY, columns=units_derived.SPREADS_COLUMNS)
    display(units_iterative_figure.iterative_figure(pruned))

# %% [markdown]
# ## Which mean, and at what cost

# %%
worth = {}
for folder in corrections:
    suffix = units_runs.suffix_of(folder, corrections[0])
    corrected = units_derived.correction_means(
        sparseness_summary.table_of(folder, "corrections", run="units-corrections")
    )
    records.save_table(
        corrected, f"corrections{suffix}", key=units_derived.MEANS_KEY, columns=units_derived.MEANS_COLUMNS
    )
    worth |= units_report.correction_values(corrected, suffix=suffix)
    display(units_means_figures.which_mean(corrected, part, suffix=suffix))
    display(units_means_figures.penalty_against_cost(corrected, part, suffix=suffix))

# %%
summary = worth | units_report.report_values(
    means, areas, curves, choices, deciles=deciles, tuned=tuned_means, iterative=pruned
)

# %% [markdown]
# ## A deeper net

# %%
if vgg:
    deep = sparseness_summary.table_of(vgg, "penalties")
    deep_pairs = units_pairs.paired(deep, part)
    deep_curves = sparseness_summary.table_of(vgg, "curves")
    deep_choices = sparseness_summary.table_of(vgg, "choices")
    deep_means = units_report.mean_penalties(deep)
    deep_profiles, deep_areas = units_profiles.profile_tables(deep_pairs)
    records.save_table(deep_pairs, "pairs-vgg", key=units_pairs.PAIRS_KEY, columns=units_pairs.PAIRS_COLUMNS)
    records.save_table(deep_means, "means-vgg", key=units_report.MEAN_KEY, columns=units_report.MEAN_COLUMNS)
    records.save_table(
        deep_profiles, "profiles-vgg", key=units_profiles.PROFILES_KEY, columns=units_profiles.PROFILES_COLUMNS
    )
    records.save_table(deep_areas, "areas-vgg", key=units_profiles.AREAS_KEY, columns=units_profiles.AREAS_COLUMNS)
    units_runs.keep(deep_curves, "curves-vgg", folder=vgg, of="curves")
    display(units_curves_figures.penalties_along_training(deep_pairs, part, suffix="-vgg"))
    display(units_curves_figures.training_curves(deep_curves, suffix="-vgg"))
    display(units_scatter_figures.scatter_replacement(deep_pairs, suffix="-vgg"))
    display(units_scatter_figures.scatter_by_layer(deep_pairs, suffix="-vgg"))
    display(units_figures.profiles_figure(deep_profiles, deep_areas, suffix="-vgg"))
    summary |= units_report.report_values(deep_means, deep_areas, deep_curves, deep_choices, prefix="vgg-")

# %%
records.save_values(summary)
summary
