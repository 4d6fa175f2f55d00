# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Mean replacement in three steps
#
# What is done when units are replaced by their mean, on a net small enough to write all its numbers down: the units
# with the lowest scores are chosen, their mean activations are multiplied with their outgoing weights, and the products
# are added to the biases of the next layer. Every weight between the two layers, and what becomes of the biases.

# %% tags=["parameters"]
data = "digits"  # what the net is trained on
model = "mlp-6-4-relu"  # a perceptron of two hidden layers, of at most 8 units each
seed = 2  # of initialisation and order; one of which both units removed are active at times
iterations = 600  # training steps
learning_rate = 0.01  # constant
layer = "fc1"  # whose units are removed
score = "mrs-abs"  # what chooses them
fraction = 0.3  # of its units; at most two are drawn
scoring = 400  # examples of the training part to score units on and to take means over
examples = 300  # examples of each part to measure losses on

# %%
from prunelab.studies.common.units import load, recipe_of
from prunelab.studies.units.corrections import Step, StepLoss, three_steps

steps, losses = three_steps(
    load(data),
    model=model,
    seed=seed,
    iterations=iterations,
    recipe=recipe_of(learning_rate),
    layer=layer,
    score=score,
    fraction=fraction,
    scoring=scoring,
    examples=examples,
)
Step.save(steps)

# %%
StepLoss.save(losses)
