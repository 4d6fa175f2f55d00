# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Do the methods differ when units go in rounds?
#
# Experiment 10 of the mean-replacement study. A small part of every layer's units is removed, the rest is tuned for a
# few steps, the units left are scored anew, and so on. Beside it the same share of units is removed in one shot,
# without tuning and with that of a single round.

# %% tags=["parameters"]
nets: list[str] = []  # folders of runs that stored nets along their training; empty: train small ones here
data = "digits"  # what the nets were trained on, and are measured on
models: list[str] = []  # those of the runs' nets to prune (empty: all); without runs, trained here
seeds = [0, 1, 2]  # those to take (empty: all that the runs hold); without runs, trained here
step = 300  # training steps done of the nets to take; without runs, how long to train
training_rate = 0.01  # of the nets trained here when `nets` is empty
scores = ["random", "norm", "taylor-abs", "mrs-abs"]  # ways of choosing units; nothing: a control, tuned as often
replacements = ["none", "mean"]  # what stands for removed units: nothing, or their mean activation
round_fraction = 0.05  # of each layer's units that goes in a round
measured = [0.05, 0.1, 0.2, 0.3, 0.4, 0.5]  # fractions removed at which nets are measured, by whole rounds
tuning_steps = 50  # training steps behind each round
learning_rate = 0.001  # of the tuning, constant
batch_size = 64  # examples a step
scoring = 250  # examples of the training part to score units on
examples = 250  # examples of the training and the test part to measure on
sequential = False  # means measured anew for each layer, with the layers before it pruned
device = "cpu"  # where to train and measure: cpu or cuda

# %%
from prunelab.studies.common.units import checkpoints, load, recipe_of
from prunelab.studies.units.tuning import Iterative, Rounds, iterate

images = load(data, device=device)
recipe = recipe_of(training_rate, batch_size=batch_size)
trained = checkpoints(nets, images, models=models, seeds=seeds, steps=[step], recipe=recipe, device=device)
pruned = iterate(
    trained,
    images,
    scores=scores,
    replacements=replacements,
    rounds=Rounds(fraction=round_fraction, measured=tuple(measured), tuning_steps=tuning_steps),
    recipe=recipe_of(learning_rate, batch_size=batch_size),
    scoring=scoring,
    examples=examples,
    sequential=sequential,
)
Iterative.save(pruned)
