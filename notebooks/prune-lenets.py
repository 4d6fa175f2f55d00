# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Pruned in rounds and retrained
#
# Experiments 3 to 6 of the LeNet study. How accurate is a net of which a hundredth or less of the weights is left, if
# pruning and training take turns? Each round removes the smallest weights and trains the others; every target branches
# off the same path and gets a training of its own at the end.

# %% tags=["parameters"]
nets = []  # folders of runs that trained dense nets; empty: train small ones here
data = "digits"  # what the nets were trained on, and are measured on
models: list[str] = []  # those of the runs' nets to prune (empty: all); without runs, trained here
seeds = [0, 1, 2]  # trained here when `nets` is empty
dense_epochs = 20  # trained here when `nets` is empty
recipe = "strong"  # how the nets were trained, and are retrained: strong, or source
tuned = ""  # folder of the run that chose learning rate and penalty; empty: take these
learning_rate = 0.2  # of every retraining, at its peak or constant
l1 = 4e-5  # penalty per unit of summed weight magnitude
input_dropout = 0.0  # part of the pixels zeroed in each example, the others scaled up
targets = ["200", "99%"]  # weights to keep, or the share to remove
rounds = [8]  # to each of the targets in weights in turn; one number if all are shares
epochs = 2  # after each round on the path
final_epochs = 10  # after a target's last round
shape = "geometric"  # of the weights left from round to round: geometric or cubic
rewind = True  # every retraining begins the schedule of the rate anew; else they share one
budgets = ["global"]  # how the weights left are shared among layers: global, layer, erk, lamp
regrow = False  # between the rounds, removed weights are trained again
live_paths = True  # keep weights on paths from an input to an output, fold units that have become constant
train_on = "train"  # train; or train+validation, as the dense nets were
device = "cpu"  # where to train and measure: cpu or cuda

# %%
from prunelab.data import load_images
from prunelab.studies.common.nets import dense_nets, save_nets
from prunelab.studies.lenet import training
from prunelab.studies.lenet.tables import Histograms, Layers, Modes, Pruned, Rounds
from prunelab.train.retraining import Schedule

images = load_images(data, device=device)
dense = dense_nets(nets, images, models=models, seeds=seeds, epochs=dense_epochs, device=device)
learning_rate, l1 = training.chosen(tuned, learning_rate=learning_rate, l1=l1)
found = training.prune_nets(
    dense,
    images,
    recipe_name=recipe,
    recipe=training.recipe_of(
        recipe, epochs=final_epochs, learning_rate=learning_rate, l1=l1, input_dropout=input_dropout
    ),
    schedule=Schedule(
        rounds=tuple(rounds),
        epochs=epochs,
        final_epochs=final_epochs,
        shape=shape,
        rewind=rewind,
        regrow=regrow,
        live_paths=live_paths,
    ),
    budgets=budgets,
    targets=targets,
    split=training.training_part(images, train_on),
)
save_nets(found.nets)
Pruned.save(found[Pruned])

# %% [markdown]
# Round by round, and layer by layer.

# %%
Rounds.save(found[Rounds])

# %%
Layers.save(found[Layers])

# %% [markdown]
# Where the weights lie that are left.

# %%
Histograms.save(training.histogram_table(training.by_model(found.nets), recipe))
Modes.save(training.mode_table(found.nets, recipe))
