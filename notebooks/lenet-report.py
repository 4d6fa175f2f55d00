# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Pruning and retraining LeNet: the questions side by side
#
# What the runs of this study measured, put together: dense nets by width, their weights before and after, every round,
# the same number of weights from wider and narrower starts, masks against training removed weights again, who gets the
# weights, and error against sparsity beside what others published. Nothing is trained here.

# %% tags=["parameters"]
dense = ""  # folder of the run that trained the dense nets with the strong recipe
dense_source = ""  # folder of the run that trained them with the source's recipe
small = ""  # folder of the run that trained small dense nets, the controls
pruned = ""  # folder of the run that pruned every net with masks, strong recipe
pruned_source = ""  # folder of the same with the source's recipe
regrown = ""  # folder of the run that trained removed weights again, strong recipe
regrown_source = ""  # folder of the same with the source's recipe
budgets = ""  # folder of the run that shared out the weights in other ways
frontier = ""  # folder of the run that pruned one net to many sparsities
active = ""  # folder of the run that counted active units
removal = ""  # folder of the run that removed activations
target = "2660"  # label of the weights left at which widths are compared in the figure
targets = ["2660", "1641"]  # labels at which weights and regrowing are drawn

# %%
from IPython.display import display

from prunelab import project
from prunelab.studies.lenet import figures, summary, tables, unit_figures

variants = tables.printed_nets(project.published() / "lenet-variants.csv")
trained = {"dense": dense, "dense_source": dense_source}
masked = {"pruned": pruned, "pruned_source": pruned_source}
again = {"regrown": regrown, "regrown_source": regrown_source}
pruned_nets, pruned_layers = (tables.measured(masked, name) for name in ("pruned", "layers"))

dense_nets = tables.Dense.save(tables.measured(trained, "dense"))
accuracies = summary.Accuracies.save(summary.accuracies(dense_nets))
figures.dense_accuracy(accuracies, variants)

# %% [markdown]
# ## The weights before pruning

# %%
before = tables.measured(trained, "histograms")
unit_figures.weight_histograms(before, "source")

# %%
unit_figures.weight_histograms(before, "strong")

# %%
pixels = tables.Pixels.save(tables.measured(trained, "pixels"))
unit_figures.pixel_weights(pixels, "source")

# %%
unit_figures.pixel_weights(pixels, "strong")

# %% [markdown]
# ## Active units

# %%
counted = {"active": active}
unit_figures.chosen_image(tables.Chosen.save(tables.measured(counted, "chosen")))

# %% [markdown]
# The source's counts on its one image beside ours on the chosen one.

# %%
shares = tables.Active.save(tables.measured(counted, "active"))
compared = summary.ActiveSource.save(summary.source_comparison(shares, variants))
compared

# %%
means = summary.ActiveMeans.save(summary.active_means(shares))
unit_figures.active_by_width(means, compared)

# %%
spread = tables.ActiveImages.save(tables.measured(counted, "active-images"))
classes = tables.ActiveClasses.save(tables.measured(counted, "active-classes"))
for recipe in figures.recipes(shares):
    display(unit_figures.active_distribution(spread, means, recipe))
    display(unit_figures.active_by_class(classes, recipe))

# %% [markdown]
# ## Pruned and trained again

# %%
after = summary.at_targets(tables.measured({**trained, **masked}, "histograms"), targets)
tables.Histograms.save(after)
unit_figures.pruned_histograms(after, "source")

# %%
unit_figures.pruned_histograms(after, "strong")

# %%
rounds = tables.Rounds.save(tables.measured(masked, "rounds"))
figures.round_by_round(rounds, "source")

# %%
figures.round_by_round(rounds, "strong")

# %% [markdown]
# ## The same number of weights, from a wider start

# %%
controls = tables.measured({"small": small}, "dense")
budget = summary.Budgets.save(summary.budget_question(pruned_nets, controls, pruned_layers))
figures.width_question(budget, variants, target)

# %% [markdown]
# What the source printed of its pruned nets, and what the same nets of ours come to. Where the data or the widths are
# others there is nothing to put beside it.

# %%
both_nets, both_layers = (tables.measured({**masked, **again}, name) for name in ("pruned", "layers"))
source = summary.source_table(both_nets, both_layers, variants)
if len(source):
    summary.Source.save(source)
source

# %% [markdown]
# ## Masked, or trained again between prunings

# %%
regrow = summary.Regrow.save(summary.regrow_table(pruned_nets, tables.measured(again, "pruned")))
figures.masked_against_regrown(summary.at_targets(regrow, targets))

# %% [markdown]
# ## Who gets the weights

# %%
shared = {"budgets": budgets}
shared_nets = summary.with_global(tables.measured(shared, "pruned"), pruned_nets)
shared_layers = summary.with_global(tables.measured(shared, "layers"), pruned_layers)
tables.Layers.save(shared_layers)
allocation = summary.Allocation.save(summary.allocation_table(shared_nets, shared_layers))
figures.accuracy_by_budget(allocation)

# %%
figures.kept_by_layer(shared_layers)

# %% [markdown]
# ## Without an activation

# %%
removed = tables.Removal.save(tables.measured({"removal": removal}, "removal"))
unit_figures.removal_drops(removed)

# %%
unit_figures.removal_by_net(removed)

# %% [markdown]
# What each removal adds to the error, in points, mean over seeds with its 95 % t interval:

# %%
summary.RemovalDrops.save(summary.drop_summary(removed))

# %% [markdown]
# ## Error against sparsity, beside what others published

# %%
published = tables.published_points(project.published() / "lenet-300-100-frontier.csv")
sparsities = summary.Frontier.save(summary.frontier_table(tables.measured({"frontier": frontier}, "pruned")))
figures.frontier_figure(sparsities, published)

# %%
beside = summary.against_published(sparsities, published)
if len(beside):
    summary.Published.save(beside)
    summary.PointsMet.save(summary.points_met(beside))
beside
