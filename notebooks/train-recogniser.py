# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Training the recognisers to be pruned
#
# How well does the recogniser hear before anything is removed? One kind of acoustic net is trained from several seeds;
# a seed decides the initial weights and the order of the frames. The learning rate is the one that does best on the
# development part, tried with the first seed; so are the decoder's scale and penalty, for every net.

# %% tags=["parameters"]
corpus = ""  # folder of the run that made the corpus; empty: a small synthetic one is made here
model = "acoustic-3x64-relu"  # hidden layers and their width, then their activation
seeds = [0, 1, 2]  # one net is trained from each
epochs = 4  # passes over the training frames
learning_rates = [0.001, 0.002, 0.004]  # peak rates to choose from
device = "cpu"  # where to train and measure: cpu or cuda

# %%
from prunelab.studies.common import corpora, nets, recognisers

heard = corpora.open_or_make(corpus, device=device)
trained, dense, rates = recognisers.train_recognisers(
    heard, model, seeds, epochs=epochs, learning_rates=learning_rates, device=device
)
nets.save_nets(trained)
recognisers.Rate.save(rates)

# %%
recognisers.Dense.save(dense)
