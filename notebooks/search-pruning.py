# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Pruning of search trees
#
# What is saved by cutting branches of a search, and does the answer stay the same? Each pruning is switched on by
# itself, and the nodes that are still looked at are counted: in placing queens, in filling a knapsack, and in finding
# the shortest way through a sliding puzzle. Cutting by a bound is held against cutting by an estimate that is none.

# %% tags=["parameters"]
boards = [4, 5, 6, 7]  # rows of the boards on which all placements of queens are sought
items = [4, 7, 10, 13]  # to choose from for a knapsack
moves = [6, 10, 14, 18]  # from the states of the eight-puzzle to its goal
seeds = [0, 1, 2, 3, 4, 5, 6, 7]  # of the instances, but for the boards
weight = 3  # of the distance in the search for paths that goes by an estimate

# %%
from prunelab.studies.words.figures import nodes_figure
from prunelab.studies.words.search import largest, search_table, summary_table
from prunelab.studies.words.tables import Searches, SearchSummary

searches = Searches.save(search_table(boards=boards, items=items, moves=moves, seeds=seeds, weight=weight))
searches

# %%
summary = SearchSummary.save(summary_table(searches))
summary

# %%
SearchSummary.save(largest(summary), "largest")

# %%
nodes_figure(summary)
