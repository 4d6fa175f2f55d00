# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # How is the threshold chosen?
#
# From a bound: on the accuracy lost, the parameters, the bytes, the operations, the share pruned, or several at once.
# Every bound is searched for in every family of prunings on the validation part, and what is found is measured again on
# the test part. A drop in accuracy is known up to chance only: it is held to its bound by an upper confidence bound,
# and, to compare, by the value measured.

# %% tags=["parameters"]
nets: list[str] = []  # folders of runs that trained dense nets; empty: train small ones here
data = "digits"  # what the nets were trained on, and are measured on
models: list[str] = []  # those of the runs' nets to take (empty: all); without runs, trained here
seeds = [0, 1, 2]  # those to take (empty: all that the runs hold); without runs, trained here
epochs = 20  # trained here when `nets` is empty
families = ["global", "quality", "sensitivity", "units"]  # nested prunings that are searched
drops = [4.0, 8.0]  # accuracy that may be lost, points; each a search
keep_percent = [20.0]  # of the dense net's parameters, bytes and operations that may be left; each a search
pruned_percent = [80.0]  # of the weights to prune at least, and at most; each a search
several_percent = [60.0]  # of all three counts that may be left, at once with the largest drop; empty: none
confidence = 0.95  # with which a drop stays within its bound on new examples
tests = 10  # prunings measured in one search, at most
scoring = 500  # examples of the training part for sensitivities, units' scores and means
latency: list[float] = []  # of the dense net's time for a call that may be left, %; each a search; empty: none
batch_size = 256  # examples in such a call
threads = 1  # of such a call
device = "cpu"  # where to train and measure: cpu or cuda

# %%
from prunelab.data import load_images
from prunelab.studies.choices.experiment import Ask, Settings, choose_by_latency, choose_thresholds, nets_of
from prunelab.studies.choices.tables import ThresholdChoices, ThresholdLatencies, ThresholdTests

images = load_images(data, device=device)
dense = nets_of(nets, images, models=models, seeds=seeds, epochs=epochs, device=device)
settings = Settings(confidence=confidence, tests=tests, scoring=scoring)
ask = Ask(drops=drops, keep_percent=keep_percent, pruned_percent=pruned_percent, several_percent=several_percent)
choices, tested = choose_thresholds(dense, images, ask, families=families, settings=settings)
ThresholdChoices.save(choices)

# %% [markdown]
# Every pruning that was measured on the way to a drop in accuracy, in the order of the search.

# %%
ThresholdTests.save(tested)

# %% [markdown]
# A latency is measured, and differs from run to run: its table is kept apart, is not compared with that of an earlier
# run, and is not shown here.

# %%
if latency:
    by_latency = choose_by_latency(
        dense,
        images,
        latency,
        families=families,
        batch_size=batch_size,
        torch_threads=threads,
        settings=settings,
    )
    ThresholdLatencies.save(by_latency)
