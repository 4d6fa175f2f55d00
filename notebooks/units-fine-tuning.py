# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Does tuning make up for units set to zero?
#
# Experiments 4, 9 and 11 of the mean-replacement study. A net that has lost units can learn the biases that their
# means would have given it. Units of one layer, or of all, are removed from nets along their training, set to zero or
# replaced by their mean activation, and what is left is trained on at a small rate. How much of the difference remains
# after a few steps, and after many?

# %% tags=["parameters"]
nets: list[str] = []  # folders of runs that stored nets along their training; empty: train small ones here
data = "digits"  # what the nets were trained on, and are measured on
models: list[str] = []  # those of the runs' nets to prune (empty: all); without runs, trained here
seeds = [0, 1, 2]  # those to take (empty: all that the runs hold); without runs, trained here
steps = [300]  # training steps done of the nets to take (empty: all); without runs, when to keep one
training_rate = 0.01  # of the nets trained here when `nets` is empty
scores = ["random", "norm", "taylor-abs", "mrs-abs"]  # ways of choosing units
layers = ["conv2", "all"]  # whose units are removed, one at a time; all: every layer at once
fraction = 0.1  # of each layer's units that is removed
tuning_steps = [10, 100, 500]  # training steps after the removal at which the loss is measured
learning_rate = 0.001  # of the tuning, constant
batch_size = 64  # examples a step
scoring = 250  # examples of the training part to score units on
examples = 250  # examples of the training and the test part to measure losses on
sequential = False  # all layers at once: means measured anew for each, with the layers before it pruned
device = "cpu"  # where to train and measure: cpu or cuda

# %%
from prunelab.studies.common.units import checkpoints, load, recipe_of
from prunelab.studies.units.tuning import FineTuned, fine_tune

images = load(data, device=device)
recipe = recipe_of(training_rate, batch_size=batch_size)
trained = checkpoints(nets, images, models=models, seeds=seeds, steps=steps, recipe=recipe, device=device)
tuned = fine_tune(
    trained,
    images,
    scores=scores,
    layers=layers,
    fraction=fraction,
    recipe=recipe_of(learning_rate, batch_size=batch_size),
    tuning_steps=tuning_steps,
    scoring=scoring,
    examples=examples,
    sequential=sequential,
)
FineTuned.save(tuned)
