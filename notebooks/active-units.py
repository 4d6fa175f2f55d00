# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # How many units are active?
#
# Experiment 2 of the source: on one image of a 6 about half of the units of the first hidden layer put something out,
# whatever the width, and far fewer after pruning. Here the same is counted on an image chosen by the one property the
# source names, its number of nonzero pixels, and then on every test image.

# %% tags=["parameters"]
data = "digits"  # what the nets were trained on, and are measured on
strong: list[str] = []  # folders of runs with nets of the strong recipe; both lists empty: train small ones here
source: list[str] = []  # folders of runs with nets of the source's recipe
prunings = ["", "masked-global-2660", "masked-global-1641"]  # which of their nets to measure; "": the dense ones
models = ["lenet-32-16-relu"]  # trained here when both lists are empty
seeds = [0, 1, 2]  # trained here when both lists are empty
epochs = 10  # trained here when both lists are empty
class_name = "6"  # class of the one image
lit_pixels = 155  # its nonzero pixels; where no image has as many, the class's median
device = "cpu"  # where to train and measure: cpu or cuda

# %%
from prunelab.data import load_images
from prunelab.studies.lenet import activations
from prunelab.studies.lenet.tables import Active, ActiveClasses, ActiveImages, Chosen

images = load_images(data, device=device)
nets = activations.nets_of(
    strong, source, images, prunings=prunings, models=models, seeds=seeds, epochs=epochs, device=device
)
index = activations.chosen_image(images, class_name, lit_pixels)
Chosen.save(activations.chosen_table(images, index))
counted = activations.count_active(nets, images)
Active.save(activations.active_table(counted, images, index))

# %% [markdown]
# One image may be an exception: the distribution over all test images, and the mean of each class.

# %%
ActiveImages.save(activations.image_table(counted))
ActiveClasses.save(activations.class_table(counted, images))
