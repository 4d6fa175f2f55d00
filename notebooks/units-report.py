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
steps = ""  # folder of the run that replaced units by their mean in three steps; may be empty
part = "train"  # examples whose penalties are drawn, "train" or "test"

# %%
from pathlib import Path

from IPython.display import display

from prunelab import tables
from prunelab.figures import suffix_of
from prunelab.studies.units import figures, rules, summary, unit_figures

measured = tables.of_runs(penalties, "penalties", run="units-penalties")
pairs = summary.Pair.save(summary.paired(measured, part))
figures.penalties_along_training(pairs, part)

# %%
first = Path(penalties[0]) / "tables"
curves = tables.of_runs(penalties, "curves", run="units-penalties")
tables.keep(curves, "curves", of=first / "curves.csv")
figures.training_curves(curves)

# %%
summary.Unpruned.save(summary.unpruned(curves))

# %% [markdown]
# ## With and without replacement

# %%
means = summary.Mean.save(summary.mean_penalties(measured))
means[(means["part"] == part) & means["layers"].isin([summary.ONE, rules.ALL])]

# %%
figures.scatter_replacement(pairs)

# %%
figures.scatter_by_layer(pairs)

# %%
profiles, areas = summary.profile_tables(pairs)
summary.Profile.save(profiles)
summary.Area.save(areas)
unit_figures.profiles_figure(profiles, areas)

# %% [markdown]
# ## One layer: penalties, activations, choices

# %%
figures.one_layer(pairs, part)

# %%
squares = tables.of_runs(penalties, "squares", run="units-penalties")
bins = summary.Bin.save(summary.squares_histogram(squares))
deciles = summary.Decile.save(summary.squares_deciles(squares))
unit_figures.squares_figure(bins, deciles)

# %%
choices = tables.of_runs(penalties, "choices", run="units-penalties")
choices = choices[choices["layer"] == rules.second_convolution(choices)]
tables.keep(choices, "choices", of=first / "choices.csv")
unit_figures.choices_figure(choices)

# %%
summary.ChosenShare.save(summary.chosen_shares(choices))

# %% [markdown]
# ## After tuning

# %%
if fine_tuning:
    fine_tuned = tables.of_runs(fine_tuning, "fine-tuned", run="units-fine-tuning")
    tuned = summary.Tuned.save(summary.tuned_pairs(fine_tuned, part))
    summary.TunedMean.save(summary.tuned_means(fine_tuned))
    for half in dict.fromkeys(tuned["half"]):
        display(figures.scatter_tuned(tuned, half))
    display(figures.methods_by_tuning(tuned, figures.comparisons_in(tuned)))

# %% [markdown]
# ## In rounds and in one shot

# %%
if iterative:
    pruned = tables.of_runs(iterative, "iterative", run="units-iterative")
    tables.keep(pruned, "iterative", of=Path(iterative[0]) / "tables/iterative.csv")
    summary.Spread.save(summary.spreads(pruned))
    summary.SharedSpread.save(summary.shared_spreads(pruned))
    summary.RoundMean.save(summary.round_means(pruned))
    display(figures.iterative_figure(pruned))

# %% [markdown]
# ## Which mean, and at what cost

# %%
if steps:
    weights = tables.of_run(steps, "steps", run="units-steps")
    tables.keep(weights, "steps", of=Path(steps) / "tables/steps.csv")
    display(unit_figures.steps_figure(weights, tables.of_run(steps, "step-losses", run="units-steps")))

# %%
for folder in corrections:
    suffix = suffix_of(folder, corrections[0])
    corrected = summary.correction_means(tables.of_run(folder, "corrections", run="units-corrections"))
    summary.CorrectionMean.save(corrected, f"corrections{suffix}")
    agreement = summary.agreement_means(tables.of_run(folder, "agreement", run="units-corrections"))
    summary.AgreementMean.save(agreement, f"agreement{suffix}")
    display(unit_figures.which_mean(corrected, part, suffix=suffix))
    display(unit_figures.penalty_against_cost(corrected, part, suffix=suffix))

# %% [markdown]
# ## A deeper net

# %%
if vgg:
    deep = tables.of_run(vgg, "penalties")
    deep_pairs = summary.Pair.save(summary.paired(deep, part), "pairs-vgg")
    summary.Mean.save(summary.mean_penalties(deep), "means-vgg")
    deep_profiles, deep_areas = summary.profile_tables(deep_pairs)
    summary.Profile.save(deep_profiles, "profiles-vgg")
    summary.Area.save(deep_areas, "areas-vgg")
    deep_curves = tables.keep(tables.of_run(vgg, "curves"), "curves-vgg", of=Path(vgg) / "tables/curves.csv")
    display(figures.penalties_along_training(deep_pairs, part, suffix="-vgg"))
    display(figures.training_curves(deep_curves, suffix="-vgg"))
    display(figures.scatter_replacement(deep_pairs, suffix="-vgg"))
    display(figures.scatter_by_layer(deep_pairs, suffix="-vgg"))
    display(unit_figures.profiles_figure(deep_profiles, deep_areas, suffix="-vgg"))
