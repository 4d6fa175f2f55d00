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
from IPython.display import display

from prunelab import project, records
from prunelab.data import load_images
from prunelab.studies.lenet import activity, activity_figures, settings, summary as lenet_summary
from prunelab.studies.lenet import tables

images = load_images(data, device=device)
nets = activity.nets_of(
    strong, source, images, prunings=prunings, models=models, seeds=seeds, epochs=epochs, device=device
)
index = activity.chosen_image(images, class_name, lit_pixels)
chosen = activity.chosen_table(images, index)
records.save_table(chosen, "chosen", key=tables.CHOSEN_KEY, columns=tables.CHOSEN_COLUMNS)
activity_figures.chosen_image(chosen)

# %%
counted = activity.count_active(nets, images)
active = activity.active_table(counted, images, index)
records.save_table(active, "active", key=tables.ACTIVE_KEY, columns=tables.ACTIVE_COLUMNS)
active

# %% [markdown]
# The source's counts on its one image beside ours on the chosen one.

# %%
printed = settings.printed_nets(project.published() / "lenet-variants.csv")
compared = lenet_summary.source_comparison(active, printed)
records.save_table(compared, "active-source", key=tables.ACTIVE_SOURCE_KEY, columns=tables.SOURCE_COLUMNS)
compared

# %%
activity_figures.by_width(active, compared)

# %% [markdown]
# One image may be an exception: the distribution over all test images, and the mean of each class.

# %%
spread = activity.image_table(counted)
records.save_table(spread, "active-images", key=tables.IMAGE_KEY, columns=tables.IMAGE_COLUMNS)
for recipe in nets:
    display(activity_figures.distribution(spread, active, recipe))

# %%
classes = activity.class_table(counted, images)
records.save_table(classes, "active-classes", key=tables.CLASS_KEY, columns=tables.CLASS_COLUMNS)
for recipe in nets:
    display(activity_figures.by_class(classes, recipe))

# %%
summary = lenet_summary.activity_values(active, chosen)
records.save_values(summary)
summary
