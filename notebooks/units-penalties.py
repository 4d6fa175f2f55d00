# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # What does removing units cost along the training?
#
# A net is trained without ever being pruned. At every checkpoint a part of the units of one layer, and now and then of
# all layers, is removed from a copy: zeroed, or replaced by their mean activation, which the next layer's bias then
# carries. How much does the loss rise, for each way of choosing the units?

# %% tags=["parameters"]
data = "digits"  # what the nets are trained on, and are measured on
model = "conv-10k3p-20k3-40"  # convolutions, then hidden linear layers; or a perceptron
seeds = [0, 1, 2]  # of initialisation, order of the examples, and random choices
iterations = 600  # training steps
learning_rate = 0.01  # constant
batch_size = 64  # examples a step
every = 100  # steps between two measurements of penalties
all_every = 200  # steps between two of all layers at once; 0: never
choose_every = 20  # steps between two looks at which units are chosen
fraction = 0.1  # of each layer's units that is removed
scores = ["random", "norm", "activation", "taylor", "taylor-abs", "mrs", "mrs-abs"]  # ways of choosing
scoring = 250  # examples of the training part to score units on
examples = 250  # examples of the training and the test part to measure losses on
squares_layer = "conv2"  # layer whose chosen units' activations are kept; empty: none
store = [300]  # steps after which the net is stored; after the last always
device = "cpu"  # where to train and measure: cpu or cuda

# %%
from prunelab.studies.common.nets import save_nets
from prunelab.studies.common.units import load, recipe_of
from prunelab.studies.units.trajectory import Choice, Curve, Penalty, Plan, Square, trajectories

found = trajectories(
    load(data, device=device),
    model=model,
    seeds=seeds,
    recipe=recipe_of(learning_rate, batch_size=batch_size),
    plan=Plan(
        iterations=iterations,
        every=every,
        all_every=all_every,
        choose_every=choose_every,
        fraction=fraction,
        scores=tuple(scores),
        squares_layer=squares_layer,
        store=tuple(store),
    ),
    scoring=scoring,
    examples=examples,
)
save_nets(found.nets)
Curve.save(found[Curve])

# %%
Penalty.save(found[Penalty])

# %% [markdown]
# Which units are chosen, again and again or once?

# %%
Choice.save(found[Choice])

# %%
Square.save(found[Square]) if Square in found else None
