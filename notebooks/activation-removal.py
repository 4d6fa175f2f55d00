# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Which activation does the net need?
#
# A hidden activation is replaced by the identity: the last one, the first, both. The weights stay as they were
# trained, or the changed net is trained on, or it is trained without the activation from the start. Does the net lose
# hardly anything without the last activation, and nearly all without the first?

# %% tags=["parameters"]
data = "digits"  # what the nets were trained on, and are measured on
strong = []  # folders of runs that trained nets by the strong recipe, dense or pruned
source = []  # the same by the source's recipe; with both empty, small dense nets are trained here
models = ["lenet-32-16-relu"]  # nets to take from these runs (empty: all), or to train here
prunings = ["", "masked-global-2660", "masked-global-1641"]  # nets to take: "" is dense
treatments = ["as trained", "retrained", "from scratch"]  # what follows the removal
retrained_models: list[str] = []  # nets to retrain and to train from scratch; empty: all
seeds = [0, 1, 2]  # trained here without runs
epochs = 10  # trained here without runs
retrain_epochs = 3  # passes over the training part after the removal
retrain_rate = 0.1  # peak learning rate of these
scratch_epochs = 10  # passes over the training part from scratch
scratch_rate = 0.2  # peak learning rate of these
device = "cpu"  # where to train and measure: cpu or cuda

# %%
from prunelab.data import load_images
from prunelab.studies.lenet import activations
from prunelab.studies.lenet.tables import Removal

images = load_images(data, device=device)
nets = activations.nets_of(
    strong, source, images, prunings=prunings, models=models, seeds=seeds, epochs=epochs, device=device
)
removal = activations.removal_table(
    activations.take(nets, models),
    images,
    treatments=treatments,
    retrain_epochs=retrain_epochs,
    retrain_rate=retrain_rate,
    scratch_epochs=scratch_epochs,
    scratch_rate=scratch_rate,
    retrained_models=retrained_models,
)
Removal.save(removal)

# %% [markdown]
# A retrained net has seen more examples than one left as trained. Each treatment is therefore compared with its own
# net that lost nothing: the same training, all activations in place.
