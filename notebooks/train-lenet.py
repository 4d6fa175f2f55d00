# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Training the nets to be pruned
#
# How well do the dense nets do, before anything is removed? One kind of net is trained from several seeds; a seed
# decides the initial weights and the order of the examples. The learning rate is the one that does best on the
# validation part, tried with the first seed; the test part is looked at once, after the last epoch.

# %% tags=["parameters"]
data = "digits"  # digits, mnist, fashion-mnist, or ./path to images by class
model = "lenet-300-100-relu"  # widths of the hidden layers, then their activation
seeds = [0, 1, 2]  # one net is trained from each
epochs = 30  # passes over the training part
learning_rates = [0.2, 0.4, 0.8, 1.6]  # peak rates to choose from
device = "cpu"  # where to train and measure: cpu or cuda

# %%
from prunelab.studies.common import nets

trained, dense, rates = nets.train_nets(data, model, seeds, epochs=epochs, learning_rates=learning_rates, device=device)
nets.save_nets(trained)
nets.Rate.save(rates)

# %%
nets.Dense.save(dense)
