"""Training of encoders and causal models with Hugging Face's Trainer: our loss, batches, resume and progress."""

import gc
import json
import math
import sys
import time
from functools import partial
from pathlib import Path

import torch
import transformers
from torch.utils.data import DataLoader
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from postgrad import losses, ranks, stopping
from postgrad.batches import Batches
from postgrad.epochs import BestEpoch, dev_score
from postgrad.examples import (
    UNTAUGHT,
    answer_examples,
    choice_batch,
    encoder_examples,
    labelled_batch,
    taught_batch,
)
from postgrad.folders import base_facts, model_folder
from postgrad.heads import OWN, POOLINGS, new_head
from postgrad.models import freeze, load_model, load_tokenizer, set_threads
from postgrad.prompts import Prompt
from postgrad.work import COMPLETE, collapsed_seeds, keep, note_collapse, open_work, remove_checkpoints

transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()
SECONDS = 2.0  # between two lines of progress
RESTART = 1000  # from the seed of a training that collapsed to the next one's
FIRST_STEPS = 20  # each has a line: beside those of another machine they tell whether both compute alike


class PostTrainer(Trainer):
    """A Trainer with batches and a loss of our own. loss: (model, inputs) -> scalar tensor; among: the Ranks."""

    def __init__(self, *args, batches, loss, among, **options):
        super().__init__(*args, **options)
        self.batches, self.loss, self.among = batches, loss, among
        self.tokens = self.last_loss = torch.zeros(())

    def get_train_dataloader(self):
        loader = DataLoader(self.train_dataset, batch_sampler=self.batches, collate_fn=self.data_collator)
        # Prepared for several ranks it would give them different batches; each reads every batch and takes its rows.
        return self.accelerator.prepare(loader) if self.among.alone else loader

    def save_model(self, *args, **options):
        if not self.among.zero:  # DeepSpeed's checkpoint holds the weights; gathered too, 72B would be 145 GB more
            super().save_model(*args, **options)

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        if self.among.alone:
            self.tokens = self.tokens + inputs["attention_mask"].sum().to("cpu")
            loss = self.loss(model, inputs)
        else:
            self.tokens = self.tokens + inputs.pop("tokens")
            loss = inputs.pop("weight") * self.loss(model, inputs)
        self.last_loss = self.among.mean(loss.detach().clone())
        return loss


class Keeper(TrainerCallback):
    """Sets the epoch of batches, masks and class weights, marks checkpoints complete, and reports progress."""

    def __init__(self, trainer, work):
        self.trainer, self.path, self.among = trainer, Path(work) / "progress.jsonl", trainer.among
        self.begun = self.told = time.monotonic()
        self.first = None

    def on_train_begin(self, args, state, control, **_):
        stopping.wait_for_steps()
        if not self.among.alone:
            torch.manual_seed(args.seed + self.among.rank)  # each rank drops other units; a resume sets them back

    def on_epoch_begin(self, args, state, control, **_):
        # From the step, not from a count of calls: right after a resume as well.
        epoch = state.global_step // len(self.trainer.batches)
        for part in (self.trainer.batches, self.trainer.data_collator, self.trainer.loss):
            if hasattr(part, "epoch"):
                part.epoch = epoch
        if self.first is None:
            self.first = state.global_step

    def on_save(self, args, state, control, **_):
        self.among.barrier()  # every rank has written its part
        if self.among.first:
            path = Path(args.output_dir) / f"checkpoint-{state.global_step}" / COMPLETE
            path.write_text(str(self.among), encoding="utf-8")

    def on_step_end(self, args, state, control, **_):
        now, last = time.monotonic(), state.global_step >= state.max_steps
        if last:
            control.should_save = False  # the model itself is written next
        elif self.among.any(stopping.wanted()):
            control.should_save = control.should_training_stop = True
        due = last or state.global_step <= FIRST_STEPS or now - self.told >= SECONDS
        if self.among.first and due:
            self.told, seconds = now, now - self.begun
            left = state.max_steps - state.global_step
            line = {
                "step": state.global_step,
                "of": state.max_steps,
                "epoch": round(state.epoch, 3),
                "loss": round(float(self.trainer.last_loss), 4),
                "tokens_per_s": round(float(self.trainer.tokens) / seconds),
                "eta_s": round(seconds / (state.global_step - self.first) * left, 1),
            }
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
            print(json.dumps(line), file=sys.stderr, flush=True)
        return control


def check(spec):
    """Nothing; ValueError for an option that this code does not know."""
    known = {"epoch": ["last", "best"], "schedule": ["cosine", "linear"], "precision": ["fp32", "bf16"],
             "attention": ["eager", "sdpa"], "head": ["linear", "cosine"],
             "pooling": ["pooler", *POOLINGS], "optimizer": ["adamw", "radam"],
             "loss": ["cross-entropy", "focal", "ldam", "mm-ldam", "logit-adjusted"]}  # fmt: skip
    for key, values in known.items():
        if spec.get(key, values[0]) not in values:
            raise ValueError(f"node {spec['node']}: {key} {spec[key]} is unknown here; write {' or '.join(values)}")


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


def optimizer_of(spec):
    """RAdam (Liu et al. 2020) and its arguments, or None: the trainer then takes AdamW.

    Both decay weights apart from the gradient, as the code published with RAdam does.
    """
    if spec.get("optimizer") == "radam":
        return torch.optim.RAdam, {"lr": spec["lr"], "decoupled_weight_decay": True}
    return None


def checkpoint_of(work, key, among):
    """The newest complete checkpoint of this key that these Ranks can go on from, or None."""
    checkpoint = open_work(work, key)
    if checkpoint:
        made = (checkpoint / COMPLETE).read_text(encoding="utf-8")
        if made != str(among):
            names = " and this run has ".join(words or "one process" for words in (made, str(among)))
            print(f"{key['spec']['node']}: {checkpoint.name} is of {names}; training begins anew", file=sys.stderr)
            remove_checkpoints(work)
            return None
    return checkpoint


def trained(model, examples, collate, loss, spec, work, key, among, score=None):
    """Train `model` in place: {"seconds", "steps", "tokens", "threads", "world", "zero", "resumed"} of this run.

    examples: dicts with `ids`. collate: list of examples -> dict of tensors. loss: (model, inputs) -> scalar.
    score: model -> float; with it the model ends as it was after its best epoch, and the result has `epoch` and `dev`.
    The run goes on from the newest complete checkpoint in `work` that has this key and is of as many ranks. One that
    is told to stop ends the process with exit code 75 when it has written one.
    """
    ranks.check_parts(model, among)
    checkpoint = among.from_first(checkpoint_of(work, key, among) if among.first else None)
    lengths = [len(example["ids"]) for example in examples]
    batches = Batches(lengths, spec["seed"], spec.get("batch"), spec.get("tokens"))
    freeze(model, spec["frozen"])
    arguments = TrainingArguments(
        output_dir=str(work),
        learning_rate=spec["lr"],
        lr_scheduler_type=spec["schedule"],
        warmup_steps=math.ceil(spec["warmup"] * len(batches) * spec["epochs"]),
        weight_decay=spec["weight_decay"],
        num_train_epochs=spec["epochs"],
        bf16=spec["precision"] == "bf16",
        use_cache=True,  # this is what the saved config says; training itself passes False
        use_cpu=not torch.cuda.is_available(),
        seed=spec["seed"],
        save_strategy="steps",
        save_steps=spec["checkpoint_steps"],
        save_total_limit=2,
        logging_strategy="no",
        report_to=[],
        disable_tqdm=True,
        remove_unused_columns=False,
        **ranks.arguments(among),
    )
    trainer = PostTrainer(
        model, arguments, data_collator=collate if among.alone else ranks.Share(collate, among),
        train_dataset=examples, batches=batches, loss=loss, among=among,
        optimizer_cls_and_kwargs=optimizer_of(spec),
    )  # fmt: skip
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(Keeper(trainer, work))
    chooser = BestEpoch(score, work, among, len(batches)) if score else None
    if chooser:
        trainer.add_callback(chooser)
    begun = time.monotonic()
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    if (step := trainer.state.global_step) < trainer.state.max_steps:
        among.barrier()  # every rank has written its part of the checkpoint
        told = f"stopped as told after step {step} of {trainer.state.max_steps}; a rerun goes on from there"
        stopping.stop(f"{spec['node']}: {told}" if among.first else "")
    return {"seconds": round(time.monotonic() - begun, 2), "steps": trainer.state.global_step,
            "tokens": int(trainer.tokens), "threads": torch.get_num_threads(),
            "world": among.world, "zero": among.zero,
            "resumed": checkpoint.name if checkpoint else None,
            **(chooser.take(model) if chooser else {})}  # fmt: skip


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
    among = ranks.begin(zero, spec["precision"])
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
        timing = trained(model, examples, collate, loss, own, work, facts, among, score)
        if "restarts" not in spec or not one_class(model, examples, compare, logits_of, own, among):
            break
        collapsed.append(seed)
        if seed != seeds[-1]:
            del model
            begin_anew(collapsed, seed + RESTART, spec["node"], work, among)
    told = {"seed": seed, "collapsed": collapsed} if "restarts" in spec else {}
    told |= {key: timing.pop(key) for key in ("epoch", "dev") if key in timing}
    finish(model, tokenizer, examples, timing, facts, told, work, out, among)


def begun_model(spec, base, held, names, among):
    """The model before training. An encoder's head is new unless the base has one of its kind for the same labels."""
    transformers.set_seed(spec["seed"])
    if spec["kind"] == "causal":
        return load_model(base, "causal", spec["attention"], spec["dropout"])
    model = load_model(base, "encoder", spec["attention"], spec["dropout"], names, spec.get("s"), spec.get("pooling"))
    if held["labels"] != names or any(held["spec"].get(key, own) != spec.get(key, own) for key, own in OWN.items()):
        with ranks.gathered(model.parameters(), among):
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


def begin_anew(collapsed, seed, node, work, among):
    """Tell that a training ended in one class, and forget its checkpoints."""
    if among.first:
        told = f"{node}: seed {collapsed[-1]} ended in one class for all training posts; seed {seed} begins"
        print(told, file=sys.stderr, flush=True)
        note_collapse(work, collapsed)
    among.barrier()
    gc.collect()  # a trainer and its model hold each other
    torch.cuda.empty_cache()


def finish(model, tokenizer, examples, timing, facts, told, work, out, among, final=None):
    """Write the folder `out` and keep it in `work`. told: of model.json, and no part of the key.

    final: model -> the model that is saved.
    """
    tokens = sum(len(example["ids"]) for example in examples)
    model = ranks.whole(model, among)
    if among.first:
        with model_folder(out, facts | {"tokens": tokens} | told, timing) as folder:
            (final(model) if final else model).save_pretrained(folder)
            tokenizer.save_pretrained(folder)
        keep(work, facts, out)
    among.barrier()


class Weighted:
    """A loss (model, inputs, weights) -> scalar with the class weights of its `epoch`, which the Keeper sets.

    counts: training posts of the K classes. spec: class_weights; with `drw`, the weights of deferred re-weighting
    take their place from that share of the epochs on.
    """

    def __init__(self, loss, counts, spec):
        self.loss, self.epoch = loss, 0
        self.early = losses.class_weights(counts, spec["class_weights"])
        self.late = losses.mean_one(losses.deferred_weights(counts), counts)
        self.begin = losses.deferred_epoch(spec.get("drw"), spec["epochs"])

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


def taught_logits(model, inputs):
    """(logits, targets) at the positions where some post is taught: the output layer is run there alone."""
    places = (inputs["targets"] != UNTAUGHT).any(dim=0).nonzero().squeeze(1)
    output = model(inputs["input_ids"], inputs["attention_mask"], logits_to_keep=places, use_cache=False)
    return output.logits, inputs["targets"][:, places]
