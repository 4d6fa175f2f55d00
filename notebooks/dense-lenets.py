# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Dense nets of several widths
#
# Experiment 1 of the LeNet study. How well do nets of different widths do before anything is removed, and how are their
# weights distributed? All widths train by one recipe, at a learning rate chosen on the validation part.

# %% tags=["parameters"]
data = "digits"  # digits, mnist, fashion-mnist, or ./path to images by class
models = ["lenet-32-16-relu", "lenet-64-16-relu"]  # the learning rate is tried on the first
seeds = [0, 1, 2]  # one net of each model is trained from each
recipe = "strong"  # strong, or source: plain gradient descent at a constant rate
epochs = 20  # passes over the training part
learning_rates = [0.1, 0.2, 0.4]  # to choose from
l1 = 0.0  # penalty per unit of summed weight magnitude
input_dropout = 0.0  # part of the pixels zeroed in each example, the others scaled up
aim_percent: float | None = None  # validation accuracy the rate is to come near to; without it the best rate is taken
train_on = "train"  # train; or train+validation, with one learning rate chosen elsewhere
device = "cpu"  # where to train and measure: cpu or cuda

# %%
from prunelab.data import load_images
from prunelab.studies.common.nets import save_nets
from prunelab.studies.lenet import training
from prunelab.studies.lenet.tables import Dense, Histograms, Modes, Pixels, Rates

nets, dense, rates = training.train_dense(
    data,
    models,
    seeds,
    recipe=recipe,
    epochs=epochs,
    learning_rates=learning_rates,
    l1=l1,
    input_dropout=input_dropout,
    aim_percent=aim_percent,
    train_on=train_on,
    device=device,
)
save_nets(nets)
Rates.save(rates)

# %%
Dense.save(dense)

# %% [markdown]
# Where the weights of each layer lie, as histograms and in a few numbers, and how large those of the first layer are on
# each pixel.

# %%
Histograms.save(training.histogram_table(nets, recipe))
Pixels.save(training.pixel_table(nets, load_images(data), recipe))
Modes.save(training.mode_table(nets, recipe))
