"""Fine-tuning into a classifier: an encoder with a head, or a causal model scored at its labels' answers.

The loss may weigh classes by the epoch, and a training that ends in one class may begin anew.
"""

import gc
import sys
from functools import partial

import torch
import transformers

from postgrad.models.batching import Batches
from postgrad.models.heads import OWN, new_head
from postgrad.models.label_prompts import Prompt
from postgrad.models.loading import load_model, load_tokenizer, set_threads
from postgrad.models.model_folder import base_facts
from postgrad.models.tokenization import answer_examples, choice_batch, encoder_examples, labelled_batch, taught_batch
from postgrad.runtime.result_cache import collapsed_seeds, note_collapse
from postgrad.training import distributed, losses
from postgrad.training.best_epoch import dev_score
from postgrad.training.trainer import check, finish, taught_logits, trained

RESTART = 1000  # from the seed of a training that collapsed to the next one's


def finetune(spec, base, frame, facts, work, out, zero=0, dev=None):
    """Train a classifier from folder `base` on the posts of `frame` and write its folder `out`.

    facts: model.json so far (kind, labels, spec, version, base, rows, classes, data), which with the base's
    digest is the key of the work. A causal model learns its gold answer by cross-entropy; every other loss
    compares the answers of all K labels, so each post is read K times. With `restarts` a training that ends in
    one class begins anew, so many times at most; model.json then tells the `seed` and those that `collapsed`.
    zero: DeepSpeed's stage, 0 for none. dev: labelled posts; with `epoch: best` the epoch of the best official metric
    there is kept, and model.json tells its `epoch` and the scores of all on `dev`.
    """
    check(spec)
    if spec["epoch"] == "best":
        check_dev(spec, dev, zero)
    held = base_facts(base, spec["kind"])
    set_threads(spec["threads"])
    among = distributed.begin(zero, spec["precision"])
    tokenizer = load_tokenizer(base)
    names = [label["name"] for label in spec["labels"]]
    counts = [facts["classes"][name] for name in names]
    fill = tokenizer.pad_token_id
    if spec["kind"] == "encoder":
        examples_of = partial(encoder_examples, tokenizer=tokenizer, max_length=spec["max_length"])
        compare, logits_of = partial(labelled_batch, fill=fill), label_logits
    else:
        words = [label[spec["answers"].removesuffix("s")] for label in spec["labels"]]
        prompt = Prompt(tokenizer, spec["prompt"], words, spec["max_length"])
        examples_of = partial(answer_examples, prompt=prompt)
        compare, logits_of = partial(choice_batch, answers=prompt.answers, fill=fill), answer_logits
    examples, score = examples_of(frame), None
    if spec["epoch"] == "best":
        score = partial(dev_score, examples=examples_of(dev), collate=compare, logits_of=logits_of, spec=spec)
    if spec["kind"] == "causal" and spec["loss"] == "cross-entropy":
        collate, loss = partial(taught_batch, fill=fill), answered_loss
    else:
        collate, loss = compare, partial(label_loss, logits_of=logits_of, loss=losses.loss_of(spec, counts))
    loss = Weighted(loss, counts, spec)
    seeds = [spec["seed"] + RESTART * k for k in range(1 + spec.get("restarts", 0))]
    collapsed = among.from_first(collapsed_seeds(work, facts) if among.first else None)
    for seed in seeds[len(collapsed) :]:
        own = spec | {"seed": seed}
        model = begun_model(own, base, held, names, among)
        timing = trained(model, examples, collate, loss, own, work, facts, among, score, by_epoch=[loss])
        if "restarts" not in spec or not one_class(model, examples, compare, logits_of, own, among):
            break
        collapsed.append(seed)
        if seed != seeds[-1]:
            del model
            begin_anew(collapsed, seed + RESTART, work, facts, among)
    told = {"seed": seed, "collapsed": collapsed} if "restarts" in spec else {}
    told |= {key: timing.pop(key) for key in ("epoch", "dev") if key in timing}
    finish(model, tokenizer, examples, timing, facts, told, work, out, among)


def check_dev(spec, dev, zero):
    """Nothing; ValueError where no epoch can be chosen."""
    if zero:
        raise ValueError(
            f"node {spec['node']}: epoch best writes whole weights, and ZeRO {zero} holds parts: write last"
        )
    if dev is None or dev.empty or dev["label"].isna().any():
        raise ValueError(
            f"node {spec['node']}: epoch best chooses on labelled posts: give them with --dev, or write last"
        )


def begun_model(spec, base, held, names, among):
    """The model before training. An encoder's head is new unless the base has one of its kind for the same labels."""
    transformers.set_seed(spec["seed"])
    if spec["kind"] == "causal":
        return load_model(base, "causal", spec["attention"], spec["dropout"])
    model = load_model(base, "encoder", spec["attention"], spec["dropout"], names, spec.get("s"), spec.get("pooling"))
    if held["labels"] != names or any(held["spec"].get(key, own) != spec.get(key, own) for key, own in OWN.items()):
        with distributed.gathered(model.parameters(), among):
            new_head(model, spec["seed"])
    return model


def one_class(model, examples, collate, logits_of, spec, among):
    """Whether the model gives all training posts one class, where they have two or more.

    It reads no further than the second class, so a sound model costs a batch or two, a collapsed one an epoch
    without gradients. Every rank reads the same posts: ZeRO-3 has all of them take part.
    """
    seen, device = set(), next(model.parameters()).device
    model.eval()
    for group in Batches([len(example["ids"]) for example in examples], spec["seed"], spec["batch"]):
        batch = collate([examples[i] for i in group])
        with torch.no_grad():
            logits = logits_of(model, {name: part.to(device) for name, part in batch.items()})
        seen |= set(logits.argmax(dim=1).tolist())
        if not among.any(len(seen) < 2):
            return False
    return len({example["label"] for example in examples}) > 1


def begin_anew(collapsed, seed, work, facts, among):
    """Tell that a training ended in one class, and forget its checkpoints."""
    if among.first:
        told = f"seed {collapsed[-1]} ended in one class for all training posts; seed {seed} begins"
        print(f"{facts['spec']['node']}: {told}", file=sys.stderr, flush=True)
        note_collapse(work, facts, collapsed)
    among.barrier()
    gc.collect()  # a trainer and its model hold each other
    torch.cuda.empty_cache()


class Weighted:
    """A loss (model, inputs, weights) -> scalar with the class weights of the epoch that was set last.

    counts: training posts of the K classes. spec: class_weights; with `drw`, the weights of deferred re-weighting
    take their place from that share of the epochs on.
    """

    def __init__(self, loss, counts, spec):
        self.loss, self.epoch = loss, 0
        self.early = losses.class_weights(counts, spec["class_weights"])
        self.late = losses.mean_one(losses.deferred_weights(counts), counts)
        self.begin = losses.deferred_epoch(spec.get("drw"), spec["epochs"])

    def set_epoch(self, epoch):
        self.epoch = epoch

    def __call__(self, model, inputs):
        weights = self.early if self.epoch < self.begin else self.late
        return self.loss(model, inputs, weights.to(inputs["labels"].device))


def label_loss(model, inputs, weights, logits_of, loss):
    return loss(logits_of(model, inputs), inputs["labels"], weights)


def label_logits(model, inputs):
    """(n, K) logits of an encoder's head."""
    return model(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"]).logits.float()


def answer_logits(model, inputs):
    """(n, K) log-probabilities of a causal model's K answers, as `predict` scores them."""
    rows = {name: inputs[name].flatten(0, 1) for name in ("input_ids", "attention_mask", "targets")}
    return -losses.token_losses(*taught_logits(model, rows)).sum(dim=1).view(inputs["targets"].shape[:2])


def answered_loss(model, inputs, weights):
    logits, targets = taught_logits(model, inputs)
    return losses.answer_loss(logits, targets, inputs["labels"], weights)
