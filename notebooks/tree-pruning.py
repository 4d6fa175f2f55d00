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
from prunelab import records
from prunelab.studies.words import trees

path, chosen = trees.prune_trees(data, seeds=seeds, points=points)
records.save_table(path, "path", key=trees.PATH_KEY, columns=trees.PATH_COLUMNS)
path

# %%
records.save_table(chosen, "chosen", key=trees.CHOICE_KEY, columns=trees.CHOICE_COLUMNS)
chosen

# %%
trees.leaves_figure(path, chosen)

# %%
values = trees.tree_values(chosen)
records.save_values(values)
values
