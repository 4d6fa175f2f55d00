# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Pruning of decision trees
#
# What does cost-complexity pruning leave of a decision tree, and what of its accuracy? A tree is grown until it
# separates the training examples; for every cost of a leaf there is a subtree with the least impurity plus cost, and
# the validation part chooses among these.

# %% tags=["parameters"]
data = "digits"  # what the trees are grown on, a set of images by name or path
seeds = [0, 1, 2, 3, 4, 5, 6, 7]  # each divides training from validation examples anew
points = 10  # trees of each path that are measured

# %%
from prunelab.studies.words.figures import leaves_figure
from prunelab.studies.words.tables import Chosen, ChosenSummary, TreePath
from prunelab.studies.words.trees import prune_trees, summary_table

path, chosen = prune_trees(data, seeds=seeds, points=points)
TreePath.save(path)

# %%
Chosen.save(chosen)

# %%
leaves_figure(path, chosen)

# %%
ChosenSummary.save(summary_table(chosen))
