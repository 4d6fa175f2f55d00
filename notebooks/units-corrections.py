# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Which mean, and is a mean enough?
#
# A removed unit can be replaced by its mean before or after pooling, or at each position by its own; with zero padding
# the next layer's response to a constant falls off towards the border, which a bias cannot follow. What do these
# choices matter? And how far is any of them from the best that weights and biases of the next layer can do, from new
# statistics of batch normalisation, and from a few steps of training, at what cost? Means, moments and statistics are
# taken from the examples that units are scored on; losses are measured on others.

# %% tags=["parameters"]
nets: list[str] = []  # folders of runs that stored nets, each taken as last stored; empty: train small ones here
data = "digits"  # what the nets were trained on, and are measured on
models: list[str] = []  # those of the runs' nets to take (empty: all); without runs, trained here
seeds = [0, 1, 2]  # those to take (empty: all that the runs hold); without runs, trained here
iterations = 300  # training steps of the nets trained here when `nets` is empty
training_rate = 0.01  # of the nets trained here when `nets` is empty
scores = ["random", "mrs-abs"]  # ways of choosing the units that are removed
layers: list[str] = []  # whose units are removed, one at a time; empty: every one
fraction = 0.1  # of each layer's units that is removed
tuning_steps = [10, 100]  # training steps with the units kept out, as corrections; empty: none
learning_rate = 0.001  # of these steps, constant
batch_size = 64  # examples a step; costs are in those of one step
scoring = 250  # examples of the training part to score units on, and to take means, moments and statistics from
examples = 250  # examples of the training and the test part to measure losses on
agreement_scores = [
    "random",
    "norm",
    "activation",
    "taylor",
    "taylor-abs",
    "mrs",
    "mrs-abs",
]  # held to the exact change
agreement_layers: list[str] = []  # whose units are removed one by one for it; empty: every one
agreement_examples = 250  # examples of the training part it is measured on
device = "cpu"  # where to train and measure: cpu or cuda

# %%
from prunelab.studies.common.units import last_nets, load, recipe_of
from prunelab.studies.units.corrections import Agreement, Correction, agree, correct

images = load(data, device=device)
recipe = recipe_of(training_rate, batch_size=batch_size)
trained = last_nets(nets, images, models=models, seeds=seeds, iterations=iterations, recipe=recipe, device=device)
corrections = correct(
    trained,
    images,
    scores=scores,
    layers=layers,
    fraction=fraction,
    recipe=recipe_of(learning_rate, batch_size=batch_size),
    tuning_steps=tuning_steps,
    scoring=scoring,
    examples=examples,
)
Correction.save(corrections)

# %% [markdown]
# What units are scored for is the loss change when they are removed. How far does each score's order agree with that of
# the exact change, measured unit by unit?

# %%
agreement = agree(
    trained,
    images,
    scores=agreement_scores,
    layers=agreement_layers,
    scoring=scoring,
    examples=agreement_examples,
)
Agreement.save(agreement)
