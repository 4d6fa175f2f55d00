# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Kinds of pruning function on one kind of net
#
# Which weights can go? The smallest; the smallest of a net trained with an L1 or an L2 penalty; those on which the loss
# hardly depends; any; or whole units. Every kind prunes the same nets to the same budgets, and is measured right away
# and after a few steps of retraining, the same for all.

# %% tags=["parameters"]
nets: list[str] = []  # folders of runs that trained the nets without a penalty, as said below; empty: train them here
data = "digits"  # images; not used for an acoustic net
corpus = ""  # folder of the run with the corpus, for an acoustic net; empty: make a small one
model = "lenet-300-100-relu"  # lenet, mlp, conv, ... on images; acoustic-6x256-relu on speech
seeds = [0, 1, 2]  # with `nets`: those to take, all when empty
kinds = ["magnitude", "l1", "l2", "gradient", "saliency", "random", "units-norm", "units-mrs-abs"]  # compared
scope = "global"  # one threshold for the whole net, or layer: the same fraction of each layer
sparsities = [0.5, 0.7, 0.8, 0.9, 0.95, 0.98]  # fractions of the weights removed, measured one-shot
retrained_sparsities = [0.8, 0.9, 0.95, 0.98]  # those retrained at
retraining_steps = 20  # training steps after the pruning, without a penalty
retraining_rate = 0.05  # at the peak of a triangular rate
l1 = [0.0001, 0.0003]  # penalties per unit of summed weight magnitude to choose from
l2 = [0.001, 0.003]  # penalties per unit of half the summed squared weights to choose from
epochs = 20  # passes over the training part of every net not taken from `nets`
steps = 0  # training steps instead of passes, of nets taken from `nets` too; 0: whole passes
learning_rate = 0.2  # of these nets, at its peak; constant for a convolutional net
scoring = 250  # examples of the training part that gradients and activations are measured on
scoring_batch = 50  # examples in a batch of gradients
examples = 500  # images of the validation and of the test part that errors are measured on
drawn = 0.9  # budget at which the weights removed and kept are counted in bins
device = "cpu"  # where to train and measure: cpu or cuda

# %%
from prunelab.studies.kinds.experiment import Plan, compare
from prunelab.studies.kinds.ranking import summary_table
from prunelab.studies.kinds.tables import Kinds, KindsCosts, KindsSummary, Tried, Weights
from prunelab.studies.kinds.task import Training, open_task, plain_nets

schedule = Training(learning_rate=learning_rate, epochs=epochs, steps=steps, retraining_rate=retraining_rate)
task = open_task(model, schedule, data=data, corpus=corpus, scoring=scoring, examples=examples, device=device)
compared = compare(
    task,
    plain_nets(task, nets, seeds, steps=steps),
    kinds=kinds,
    plan=Plan(
        sparsities=tuple(sparsities),
        retrained_sparsities=tuple(retrained_sparsities),
        retraining_steps=retraining_steps,
        scope=scope,
        scoring_batch=scoring_batch,
    ),
    strengths={"l1": l1, "l2": l2},
    drawn=drawn,
)
Kinds.save(compared.kinds)

# %% [markdown]
# How strong the penalties are, chosen on the validation part with the first seed.

# %%
if compared.tried is not None:
    Tried.save(compared.tried)
compared.tried

# %% [markdown]
# Where the weights lie that each kind removes and keeps, and what each kind needs.

# %%
if compared.weights is not None:
    Weights.save(compared.weights)
KindsCosts.save(compared.costs)

# %% [markdown]
# Ranked by the area under accuracy against sparsity.

# %%
KindsSummary.save(summary_table(compared.kinds))
