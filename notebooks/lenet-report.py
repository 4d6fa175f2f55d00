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
from prunelab.studies.common.runs import Runs, only, stacked
from prunelab.studies.lenet import figures, summary, tables, unit_figures
from prunelab.studies.lenet.summary import (
    Accuracies,
    ActiveMeans,
    ActiveSource,
    Allocation,
    Budgets,
    Frontier,
    PointsMet,
    Published,
    Regrow,
    RemovalDrops,
    Source,
)

variants = tables.printed_nets(project.published() / "lenet-variants.csv")
trained = Runs(folders={"dense": dense, "dense_source": dense_source})
masked = Runs(folders={"pruned": pruned, "pruned_source": pruned_source})
again = Runs(folders={"regrown": regrown, "regrown_source": regrown_source})
shared = Runs(folders={"budgets": budgets})
counted = Runs(folders={"active": active})
without = Runs(folders={"removal": removal})
pruned_nets, pruned_layers = masked.table("pruned"), masked.table("layers")
regrown_nets, regrown_layers = again.table("pruned"), again.table("layers")

dense_nets = trained.keep("dense", trained.table("dense"))
accuracies = Accuracies.save(summary.accuracies(dense_nets))
figures.dense_accuracy(accuracies, variants)

# %% [markdown]
# ## The weights before pruning

# %%
before = only(trained.table("histograms"), mode="dense")
unit_figures.weight_histograms(before, "source")

# %%
unit_figures.weight_histograms(before, "strong")

# %%
pixels = trained.keep("pixels", trained.table("pixels"))
unit_figures.pixel_weights(pixels, "source")

# %%
unit_figures.pixel_weights(pixels, "strong")

# %% [markdown]
# ## Active units

# %%
unit_figures.chosen_image(counted.keep("chosen", counted.table("chosen")))

# %% [markdown]
# The source's counts on its one image beside ours on the chosen one.

# %%
shares = counted.keep("active", counted.table("active"))
compared = ActiveSource.save(summary.source_comparison(shares, variants))
compared

# %%
means = ActiveMeans.save(summary.active_means(shares))
unit_figures.active_by_width(means, compared)

# %%
spread = counted.keep("active-images", counted.table("active-images"))
classes = counted.keep("active-classes", counted.table("active-classes"))
for recipe in figures.recipes(shares):
    display(unit_figures.active_distribution(spread, means, recipe))
    display(unit_figures.active_by_class(classes, recipe))

# %% [markdown]
# ## Pruned and trained again

# %%
after = only(masked.table("histograms"), mode="masked")
after = masked.keep("histograms", summary.at_targets(stacked(before, after), targets))
unit_figures.pruned_histograms(after, "source")

# %%
unit_figures.pruned_histograms(after, "strong")

# %%
rounds = masked.keep("rounds", masked.table("rounds"))
figures.round_by_round(rounds, "source")

# %%
figures.round_by_round(rounds, "strong")

# %% [markdown]
# ## The same number of weights, from a wider start

# %%
controls = Runs(folders={"small": small}).table("dense")
budget = Budgets.save(summary.budget_question(pruned_nets, controls, pruned_layers))
figures.width_question(budget, variants, target)

# %% [markdown]
# What the source printed of its pruned nets, and what the same nets of ours come to. Where the data or the widths are
# others there is nothing to put beside it.

# %%
both_nets, both_layers = stacked(pruned_nets, regrown_nets), stacked(pruned_layers, regrown_layers)
source = summary.source_table(both_nets, both_layers, variants)
if len(source):
    Source.save(source)
source

# %% [markdown]
# ## Masked, or trained again between prunings

# %%
regrow = Regrow.save(summary.regrow_table(pruned_nets, regrown_nets))
figures.masked_against_regrown(summary.at_targets(regrow, targets))

# %% [markdown]
# ## Who gets the weights

# %%
shared_nets = summary.with_global(shared.table("pruned"), pruned_nets)
shared_layers = shared.keep("layers", summary.with_global(shared.table("layers"), pruned_layers))
allocation = Allocation.save(summary.allocation_table(shared_nets, shared_layers))
figures.accuracy_by_budget(allocation)

# %%
figures.kept_by_layer(shared_layers)

# %% [markdown]
# ## Without an activation

# %%
removed = without.keep("removal", without.table("removal"))
unit_figures.removal_drops(removed)

# %%
unit_figures.removal_by_net(removed)

# %% [markdown]
# What each removal adds to the error, in points, mean over seeds with its 95 % t interval:

# %%
RemovalDrops.save(summary.drop_summary(removed))

# %% [markdown]
# ## Error against sparsity, beside what others published

# %%
published = tables.published_points(project.published() / "lenet-300-100-frontier.csv")
sparsities = Frontier.save(summary.frontier_table(Runs(folders={"frontier": frontier}).table("pruned")))
figures.frontier_figure(sparsities, published)

# %%
beside = summary.against_published(sparsities, published)
if len(beside):
    Published.save(beside)
    PointsMet.save(summary.points_met(beside))
beside
