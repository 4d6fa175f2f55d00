# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Which learning rate, which penalty?
#
# The retraining of pruned nets has two settings that matter: the learning rate, and the L1 penalty that prepares the
# next round's choice. Both are chosen on the validation part; the test part is not looked at.

# %% tags=["parameters"]
nets = []  # folders of runs that trained dense nets; empty: train small ones here
data = "digits"  # what the nets were trained on
models: list[str] = []  # those of the runs' nets to tune on (empty: all); without runs, trained here
seeds = [0]  # of the runs' nets, those to tune on; without runs, trained here
dense_epochs = 20  # trained here when `nets` is empty
recipe = "strong"  # how the nets were trained, and are retrained: strong, or source
learning_rates = [0.1, 0.2, 0.4]  # of every retraining, at its peak or constant
penalties = [0.0, 4e-5]  # per unit of summed weight magnitude
input_dropout = 0.0  # part of the pixels zeroed in each example, the others scaled up
target = "200"  # weights to keep, or the share to remove
rounds = 8  # of pruning
epochs = 2  # after each round on the path
final_epochs = 10  # after the last round
live_paths = True  # keep weights on paths from an input to an output, fold units that have become constant
device = "cpu"  # where to train and measure: cpu or cuda

# %%
from prunelab.data import load_images
from prunelab.studies.common.nets import dense_nets
from prunelab.studies.lenet import training
from prunelab.studies.lenet.tables import Tuning
from prunelab.train.retraining import Schedule

images = load_images(data, device=device)
dense = dense_nets(nets, images, models=models, seeds=seeds, only_seeds=seeds, epochs=dense_epochs, device=device)
table = training.tuning_table(
    dense,
    images,
    recipe=recipe,
    learning_rates=learning_rates,
    penalties=penalties,
    input_dropout=input_dropout,
    target=target,
    schedule=Schedule(rounds=(rounds,), epochs=epochs, final_epochs=final_epochs, live_paths=live_paths),
)
Tuning.save(table)
