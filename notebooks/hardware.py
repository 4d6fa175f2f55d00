# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Structured or not: what does the hardware gain?
#
# A net is pruned in one shot to the same number of weights in two ways: single weights, the smallest of the whole net,
# or whole units with their means carried to the next bias. Each pruned net is brought into the forms in which it can be
# stored and run: with zeros in place, as sparse rows (by torch and by scipy), physically smaller, and exported for ONNX
# Runtime. All of them give the same outputs. What do file, operations, memory and time then gain, and at which sparsity
# are sparse rows faster than the unpruned net?

# %% tags=["parameters"]
nets: list[str] = []  # folders of runs that stored nets, each taken as last stored; empty: train small ones here
data = "digits"  # what the nets were trained on, and are measured on
standardised = False  # whether they were trained on channels of mean 0 and deviation 1, as those of the study on units
models = ["lenet-300-100-relu"]  # those of the runs' nets to take (empty: all); without runs, trained here
seeds = [0, 1]  # those to take (empty: all that the runs hold); without runs, trained here
iterations = 600  # training steps of the nets trained here when `nets` is empty
learning_rate = 0.05  # of the nets trained here when `nets` is empty
sparsities = [0.5, 0.9, 0.98]  # fractions of the prunable weights removed, ascending
prunings = ["weights", "units"]  # what is removed: weights, units or both
score = "mrs-abs"  # what units are chosen by
scoring = 250  # examples of the training part to score units on and take means from
examples = 1000  # examples of the test part that the outputs of all forms are compared on
weight_forms = ["masked", "csr-torch", "csr-scipy", "shrunk"]  # forms of nets without single weights
unit_forms = ["masked", "shrunk", "onnx"]  # forms of nets without units
batches = [1, 256]  # examples of a call
calls = [20, 3]  # timed calls of each form in a round, a number a batch; the round's time is their median
rounds = 9  # rounds that all forms are timed in, in turn
threads = [1]  # threads within an operation; 0: all that there are
memory_sparsities = [0.9]  # those at which memory is measured, seconds a form; empty: of the unpruned net alone
memory_batch = 256  # examples of the call that memory is measured of

# %%
from prunelab.studies.common.units import last_nets, recipe_of
from prunelab.studies.hardware.forms import ALL_FORMS, form_table, memory_table, time_forms
from prunelab.studies.hardware.nets import load, one_shot
from prunelab.studies.hardware.tables import Crossovers, Forms, Latency, Memory, Times
from prunelab.studies.hardware.times import crossover_table, latency_table, time_table

images = load(data, standardised=standardised)
dense = last_nets(nets, images, models=models, seeds=seeds, iterations=iterations, recipe=recipe_of(learning_rate))
asked = {"sparsities": sparsities, "prunings": prunings, "score": score, "scoring": scoring}
pruned = [(net, one_shot(net, images, **asked)) for net in dense]
forms = {**ALL_FORMS, "weights": weight_forms, "units": unit_forms}
Forms.save(form_table(pruned, images, forms=forms, examples=examples))

# %% [markdown]
# Everything up to here is counted, and the same in every run. What follows is measured with a clock: it depends on the
# machine, on its libraries, and on what else it does.

# %%
timed = time_forms(pruned, images, forms=forms, batches=batches, calls=calls, rounds=rounds, counts=threads)
Times.save(time_table(timed))
Latency.save(latency_table(timed))

# %%
Crossovers.save(crossover_table(timed))

# %%
Memory.save(memory_table(pruned, images, forms=forms, sparsities=memory_sparsities, batch=memory_batch))
