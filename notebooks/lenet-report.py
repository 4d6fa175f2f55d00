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

from prunelab import project, records
from prunelab.studies.common import runs
from prunelab.studies.lenet import activity_figures, figures, settings, summary as lenet_summary

variants = settings.printed_nets(project.published() / "lenet-variants.csv")
trained = runs.Runs(folders={"dense": dense, "dense_source": dense_source})
masked = runs.Runs(folders={"pruned": pruned, "pruned_source": pruned_source})
again = runs.Runs(folders={"regrown": regrown, "regrown_source": regrown_source})
shared = runs.Runs(folders={"budgets": budgets})
dense_nets = trained.keep("dense", trained.table("dense"))
pruned_nets, pruned_layers = masked.table("pruned"), masked.table("layers")
regrown_nets, regrown_layers = again.table("pruned"), again.table("layers")
figures.dense_accuracy(dense_nets, variants)

# %% [markdown]
# ## The weights before pruning

# %%
before = runs.only(trained.table("histograms"), mode="dense")
figures.weight_histograms(before, "source")

# %%
figures.weight_histograms(before, "strong")

# %%
pixels = trained.keep("pixels", trained.table("pixels"))
figures.pixel_weights(pixels, "source")

# %%
figures.pixel_weights(pixels, "strong")

# %% [markdown]
# ## Active units

# %%
counted = runs.Runs(folders={"active": active})
activity_figures.chosen_image(counted.keep("chosen", counted.table("chosen")))

# %%
shares = counted.keep("active", counted.table("active"))
activity_figures.by_width(shares, counted.table("active-source"))

# %%
spread = counted.keep("active-images", counted.table("active-images"))
classes = counted.keep("active-classes", counted.table("active-classes"))
for recipe in settings.recipes(shares):
    display(activity_figures.distribution(spread, shares, recipe))
    display(activity_figures.by_class(classes, recipe))

# %% [markdown]
# ## Pruned and trained again

# %%
after = runs.only(masked.table("histograms"), mode="masked")
after = masked.keep("histograms", settings.at_targets(runs.stacked(before, after), targets))
figures.pruned_histograms(after, "source")

# %%
figures.pruned_histograms(after, "strong")

# %%
rounds = masked.keep("rounds", masked.table("rounds"))
figures.round_by_round(rounds, "source")

# %%
figures.round_by_round(rounds, "strong")

# %% [markdown]
# ## The same number of weights, from a wider start

# %%
controls = runs.Runs(folders={"small": small}).table("dense")
budget = lenet_summary.budget_question(pruned_nets, controls, pruned_layers)
records.save_table(budget, "budget", key=lenet_summary.BUDGET_KEY, columns=lenet_summary.BUDGET_COLUMNS)
figures.width_question(budget, variants, target)

# %% [markdown]
# What the source printed of its pruned nets, and what the same nets of ours come to. Where the data or the widths are
# others there is nothing to put beside it.

# %%
both_nets, both_layers = (
    runs.stacked(pruned_nets, regrown_nets),
    runs.stacked(pruned_layers, regrown_layers),
)
source = lenet_summary.source_table(both_nets, both_layers, variants)
if len(source):
    records.save_table(source, "source", key=lenet_summary.SOURCE_KEY, columns=lenet_summary.SOURCE_COLUMNS)
source

# %% [markdown]
# ## Masked, or trained again between prunings

# %%
regrow = lenet_summary.regrow_table(pruned_nets, regrown_nets)
records.save_table(regrow, "regrow", key=lenet_summary.REGROW_KEY, columns=lenet_summary.REGROW_COLUMNS)
figures.masked_against_regrown(settings.at_targets(regrow, targets))

# %% [markdown]
# ## Who gets the weights

# %%
shared_nets = lenet_summary.with_global(shared.table("pruned"), pruned_nets)
shared_layers = shared.keep("layers", lenet_summary.with_global(shared.table("layers"), pruned_layers))
allocation = lenet_summary.allocation_table(shared_nets, shared_layers)
records.save_table(allocation, "allocation", key=lenet_summary.ALLOCATION_KEY, columns=lenet_summary.ALLOCATION_COLUMNS)
figures.accuracy_by_budget(allocation)

# %%
figures.kept_by_layer(shared_layers)

# %% [markdown]
# ## Without an activation

# %%
without = runs.Runs(folders={"removal": removal})
removed = without.keep("removal", without.table("removal"))
activity_figures.removal_drops(removed)

# %%
activity_figures.removal_by_net(removed)

# %% [markdown]
# ## Error against sparsity, beside what others published

# %%
published = lenet_summary.published_points(project.published() / "lenet-300-100-frontier.csv")
sparsities = lenet_summary.frontier_table(runs.Runs(folders={"frontier": frontier}).table("pruned"))
records.save_table(sparsities, "frontier", key=lenet_summary.FRONTIER_KEY, columns=lenet_summary.FRONTIER_COLUMNS)
figures.frontier_figure(sparsities, published)

# %%
beside = lenet_summary.against_published(sparsities, published)
if len(beside):
    records.save_table(beside, "published", key=lenet_summary.PUBLISHED_KEY, columns=lenet_summary.PUBLISHED_COLUMNS)
beside

# %%
summary = lenet_summary.report_values(dense_nets, budget, regrow, allocation, sparsities, beside)
records.save_values(summary)
summary
