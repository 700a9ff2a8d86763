"""Broken configurations, a case a line: each changes one file of the small study of study_files.py.

class of fault: what is wrong: (file, change, place that the sentence names, words that it holds)
"""
# fmt: off

import yaml

RECIPE, STUDY, SCALE, TASK = "recipes/small.yaml", "studies/test.yaml", "scales/here.yaml", "tasks/rain.yaml"
BASES, CONFIG = "bases.yaml", "config.yaml"
MODEL = {"finetune": "big", "data": ["rain/train"]}
MIST = {"name": "mist", "value": "2", "word": "mist", "digit": "2"}
DRAWN = {"label": "rain/unlabeled", "teachers": ["one", "two"], "keep": "agreement", "budget": "agreed"}
GUESSED = {"label": "rain/unlabeled", "teachers": ["one"], "keep": "random", "share": 0.1}
PRIOR = {"calibrate": "plain", "fit": "rain/dev", "method": "prior", "target": "uniform", "lambda": [0, 1.0]}
CUT = {"calibrate": "plain", "fit": "rain/dev", "method": "threshold"}
GPT = {"kind": "endpoint", "url": "http://localhost:8000/v1", "model": "some-model"}
BOMB = "a: &a [1,1,1,1,1,1,1,1,1]\n" + "".join(f"{y}: &{y} [{','.join([f'*{x}'] * 9)}]\n" for x, y in zip("abcdefg", "bcdefgh"))


def put(path, value):
    """Write a value at a dotted path; the keys above it are made."""

    def change(content):
        *above, last = path.split(".")
        for key in above:
            content = content[int(key)] if isinstance(content, list) else content.setdefault(key, {})
        content[last] = value

    return change


def drop(path):
    def change(content):
        *above, last = path.split(".")
        for key in above:
            content = content[key]
        del content[last]

    return change


def drop_key(body, key):
    return {name: value for name, value in body.items() if name != key}


def both(*changes):
    return lambda content: [change(content) for change in changes]


def text(old, new):
    """Write `new` for the first `old` in the file's text.

    With an empty `old` the file holds `new` alone.
    """
    return lambda content: new if old == "" else yaml.safe_dump(content, sort_keys=False).replace(old, new, 1)


POOLED = put("datasets.pooled", {"fold": ["rain/train", "rain/dev"], "k": 5, "seed": 42})
MEMBER = put("models.member", {"finetune": "big", "data": ["pooled"]})
MEAN = put("predictors.mean", {"vote": ["member"], "over": ["fold"], "rule": "soft", "ties": "lowest"})
TWO_MEMBERS = put("predictors.together.vote", ["expert", "plain"])
DIVIDED = both(put("splits.train", {}), put("divide", {"from": "rain/train.csv", "columns": {"text": "text", "label": "label"}, "seed": 1}))

FAULTS = {
    "type": {
        "weights as a list": (RECIPE, put("predictors.together.weights", [1, 2]), "predictors.together.weights", "expected a mapping, found a list of 2. A weight for every member"),
        "a rate as text": (RECIPE, put("models.plain.lr", "1e-5"), "models.plain.lr", "found '1e-5'; write .*1.0e-5 for 1e-5"),
        "half a post": (RECIPE, put("defaults.finetune.batch", 8.5), "defaults.finetune.batch", "a whole number, found 8.5"),
        "leave without a budget": (STUDY, put("endpoints", True), "endpoints", "expected a mapping, found true.*The most that each base of kind endpoint may cost"),
        "leave without an end": (STUDY, put("endpoints", {"requests": 10}), "endpoints", "the key 'tokens' is missing"),
        "leave in words": (TASK, put("endpoints", "yes"), "endpoints", "expected true or false, found 'yes'"),
        "a word for a number": (SCALE, put("bases.big.finetune.epochs", "two"), "bases.big.finetune.epochs", "a number, found 'two'"),
        "true for a number": (STUDY, put("seeds", True), "seeds", "a whole number, found true"),
        "half a shard": (CONFIG, put("shards", 2.5), "shards", "a whole number, found 2.5"),
        "no for a name": (TASK, put("labels.0.name", False), "labels.0.name", "found false; put it in quotes"),
        "a name for a list": (STUDY, put("recipes", "small"), "recipes", "expected a list, found 'small'"),
        "a name for a node": (RECIPE, put("models.plain", "big"), "models.plain", "expected a mapping"),
        "a list of splits": (TASK, put("splits", ["train"]), "splits", "expected a mapping, found a list"),
        "a chain as text": (RECIPE, put("compare.rain.chain", "plain"), "compare.rain.chain", "expected a list"),
        "a size as text": (BASES, put("tiny.make.hidden", "32"), "tiny.make.hidden", "a whole number, found '32'"),
        "a number for a model": (SCALE, put("bases.big.model", 7), "bases.big.model", "expected text or null, found 7"),
        "a list in each": (RECIPE, put("models.plain.each", {"frozen": [["a"]]}), "models.plain.each.frozen", "name: value"),
        "nothing for a rate": (RECIPE, put("models.plain.lr", None), "models.plain.lr", "a number, found nothing"),
        "a number for the data of defaults": (RECIPE, both(drop("models.plain.data"), put("defaults.finetune.data", 3)), "defaults.finetune.data", "expected text or a list, found 3"),
        "a number for the defaults of a base": (RECIPE, put("defaults.finetune.bases", {"big": 3}), "defaults.finetune.bases.big", "expected a mapping, found 3"),
        "a date for a title": (RECIPE, text("A small system", "2026-01-02"), "title", "expected text.*put it in quotes"),
    },
    "range": {
        "a weight of nought": (RECIPE, both(TWO_MEMBERS, put("predictors.together.weights", {"expert": 1, "plain": 0})), "predictors.together.weights.plain", "at least 0.001, found 0. .*Leave a member out of the vote"),
        "no weights": (RECIPE, put("predictors.together.weights", {}), "predictors.together.weights", "at least 1 keys, found an empty mapping"),
        "more than certain": (RECIPE, put("datasets.guessed", {"label": "rain/unlabeled", "teachers": ["one"], "keep": "confidence", "above": 90}), "datasets.guessed.above", "at most 1, found 90"),
        "a rate of nought": (RECIPE, put("models.plain.lr", 0), "models.plain.lr", "more than 0, found 0"),
        "a rate in each": (RECIPE, put("models.plain.each", {"lr": [0.1, -1]}), "models.plain.each.lr.1", "more than 0, found -1"),
        "a rate for a base": (RECIPE, put("defaults.finetune.bases", {"big": {"lr": 2}}), "defaults.finetune.bases.big.lr", "at most 1, found 2"),
        "a faithful rate of defaults": (RECIPE, put("defaults.finetune.faithful", {"lr": 2}), "defaults.finetune.faithful.lr", "at most 1, found 2"),
        "a faithful rate": (RECIPE, put("models.plain.faithful", {"lr": 2}), "models.plain.faithful.lr", "at most 1, found 2"),
        "less than no GPU": (SCALE, put("bases.big.machine", {"finetune": {"gpus": -1}}), "bases.big.machine.finetune.gpus", "at least 0, found -1"),
        "no node": (SCALE, put("bases.big.machine", {"finetune": {"nodes": 0}}), "bases.big.machine.finetune.nodes", "at least 1, found 0"),
        "no epoch": (RECIPE, put("models.plain.epochs", 0), "models.plain.epochs", "more than 0"),
        "a warmup above 1": (RECIPE, put("defaults.finetune.warmup", 1.5), "defaults.finetune.warmup", "at most 1"),
        "a share of all epochs": (RECIPE, put("models.plain.drw", 1), "models.plain.drw", "less than 1, found 1"),
        "no margin": (RECIPE, put("defaults.finetune.max_m", 0), "defaults.finetune.max_m", "more than 0, found 0"),
        "a scale of nought": (RECIPE, put("defaults.finetune.s", 0), "defaults.finetune.s", "more than 0, found 0"),
        "all dropped out": (SCALE, put("bases.big.finetune.dropout", 1.0), "bases.big.finetune.dropout", "less than 1"),
        "no post a step": (RECIPE, put("models.plain.batch", 0), "models.plain.batch", "at least 1, found 0"),
        "no seed": (STUDY, put("seeds", 0), "seeds", "at least 1"),
        "one fold": (RECIPE, put("datasets.pooled", {"fold": ["rain/train"], "k": 1, "seed": 1}), "datasets.pooled.k", "at least 2, found 1"),
        "one fold at most": (STUDY, put("folds", 1), "folds", "at least 2, found 1"),
        "no task": (STUDY, put("tasks", 0), "tasks", "at least 1, found 0"),
        "no train post": (STUDY, put("train", 0), "train", "at least 1, found 0"),
        "no shard": (STUDY, put("shards", 0), "shards", "at least 1, found 0"),
        "fewer than no copies": (RECIPE, put("datasets.filled.copies", -1), "datasets.filled.copies", "at least 0"),
        "too large a seed": (RECIPE, put("models.one.seed", 2**32), "models.one.seed", "at most 4294967295"),
        "shares that sum to .9": (TASK, both(DIVIDED, put("divide.parts", {"train": 0.9})), "divide.parts", "sum to 0.9"),
        "no word": (TASK, put("splits.train.window", 0), "splits.train.window", "at least 1"),
        "words crossed": (TASK, put("splits.unlabeled.select", {"min_words": 9, "max_words": 2}), "splits.unlabeled.select", "min_words is more"),
        "an odd width": (BASES, put("tiny.make.hidden", 30), "tiny.make.hidden", "no multiple of twice the heads"),
        "terms crossed": (RECIPE, put("models.two.ngrams", [3, 1]), "models.two.ngrams", "write the smaller first"),
        "an empty list of seeds": (RECIPE, put("models.plain.each", {"seed": []}), "models.plain.each.seed", "at least 1 values"),
        "a seed twice": (RECIPE, put("models.plain.each", {"seed": [1, 1]}), "models.plain.each.seed", "1 stands twice"),
        "a lambda below nought": (RECIPE, put("predictors.fair", {**PRIOR, "lambda": [0, -0.1]}), "predictors.fair.lambda.1", "at least 0, found -0.1"),
        "shares that sum to 1.1": (RECIPE, put("predictors.fair", {**PRIOR, "target": {"no": 0.9, "yes": 0.2}}), "predictors.fair.target", "the shares sum to 1.1"),
        "a chain of one": (RECIPE, put("compare.rain.chain", ["plain"]), "compare.rain.chain", "at least 2 values"),
    },
    "name": {
        "a study": (CONFIG, put("study", "tets"), "study", "no file .*tets.yaml; did you mean 'test'"),
        "a recipe": (STUDY, put("recipes", ["smal"]), "recipes", "no file .*smal.yaml; did you mean 'small'"),
        "a scale": (STUDY, put("scale", "there"), "scale", "did you mean 'here'"),
        "a task": (RECIPE, put("tasks.rain", "rian"), "tasks.rain", "no file .*rian.yaml; did you mean 'rain'"),
        "a base": (RECIPE, put("models.plain.finetune", "bigg"), "models.plain.finetune", "did you mean 'big'"),
        "a base of the scale": (SCALE, put("bases.bigg", {}), "bases", "no base 'bigg'; did you mean 'big'"),
        "a model of the scale": (SCALE, put("bases.big.model", "tine"), "bases.big.model", "did you mean 'tiny'"),
        "a dataset": (RECIPE, put("models.plain.data", ["rain/train", "agred"]), "models.plain.data", "did you mean 'agreed'"),
        "a split": (RECIPE, put("models.plain.data", ["rain/trian"]), "models.plain.data", "did you mean 'train'"),
        "a split's task": (RECIPE, put("models.plain.data", ["rein/train"]), "models.plain.data", "no task 'rein'; did you mean 'rain'"),
        "a teacher": (RECIPE, put("datasets.agreed.teachers", ["one", "tow"]), "datasets.agreed.teachers", "did you mean 'two'"),
        "a task under for": (RECIPE, put("for", {"task": ["rian"]}), "for.task", "no task 'rian'; did you mean 'rain'"),
        "a task's name as the word of for": (RECIPE, put("for", {"rain": ["rain"]}), "for.rain", "a task's own name"),
        "a section": (RECIPE, put("model", {}), RECIPE, "no key 'model'; did you mean 'models'"),
        "an option": (RECIPE, put("models.plain.learning_rate", 1.0), "models.plain", "no key 'learning_rate'"),
        "an option of the scale": (SCALE, put("bases.big.finetune.epoch_count", 1), "bases.big.finetune", "no key 'epoch_count'"),
        "a method": (RECIPE, put("datasets.filled.method", "shufle"), "datasets.filled.method", "did you mean 'shuffle'"),
        "a loss": (RECIPE, put("models.plain.loss", "focl"), "models.plain.loss", "did you mean 'focal'"),
        "a head": (RECIPE, put("models.plain.head", "cosin"), "models.plain.head", "did you mean 'cosine'"),
        "a link of a chain": (RECIPE, put("compare.rain.chain", ["plane", "expert"]), "compare.rain.chain", "did you mean 'plain'"),
        "a control's place": (RECIPE, put("compare.rain.controls.again", "exprt"), "compare.rain.controls", "did you mean 'expert'"),
        "a scored node": (RECIPE, put("score", {"togther": "rain/dev"}), "score.togther", "did you mean 'together'"),
        "a bound recipe": (STUDY, put("bind", {"smal": {}}), "bind", "did you mean 'small'"),
        "a bound place": (STUDY, put("bind", {"small": {"rian": "rain"}}), "bind.small", "did you mean 'rain'"),
        "a bound task": (STUDY, put("bind", {"small": {"rain": "rein"}}), "bind.small.rain", "no file .*did you mean 'rain'"),
        "a verb": (RECIPE, put("defaults.finetnue", {}), "defaults", "did you mean 'finetune'"),
        "the verb of a node": (RECIPE, put("models.plain", {"finetun": "big", "data": ["rain/train"]}), "models.plain", "'finetun' is not a verb of a node; did you mean 'finetune'"),
        "the verb of a predictor": (RECIPE, put("predictors.jury", {"voet": ["plain"]}), "predictors.jury", "'voet' is not a verb of a node; did you mean 'vote'"),
        "the verb and an option of a node": (RECIPE, put("datasets.odd", {"methd": "shuffle", "agument": "rain/train"}), "datasets.odd", "'agument' is not a verb of a node; did you mean 'augment'"),
        "a verb of another section": (RECIPE, put("predictors.plainer", MODEL), "predictors.plainer", "finetune stands under models; move the node there"),
        "a verb that no node has": (RECIPE, put("predictors.plainer", {"predict": "plain"}), "predictors.plainer", "'predict' is not a verb of a node; known: augment, calibrate"),
        "a base that votes": (RECIPE, put("predictors.jury", {"vote": ["plain", "big"], "rule": "soft", "ties": "lowest"}), "predictors.jury.vote", "'big' is a base, and bases do not predict; fine-tune it in a node, and name that node"),
        "a base that teaches": (RECIPE, put("datasets.agreed.teachers", ["one", "big"]), "datasets.agreed.teachers", "'big' is a base, and bases do not predict"),
        "a base that is picked": (RECIPE, put("predictors.best", {"pick": ["big"], "fit": "rain/dev"}), "predictors.best.pick", "'big' is a base, and bases do not predict"),
        "a base that is scored": (RECIPE, put("score", {"big": "rain/dev"}), "score.big", "'big' is a base, and bases do not predict"),
        "a base in a chain": (RECIPE, put("compare.rain.chain", ["big", "expert"]), "compare.rain.chain", "'big' is a base, and bases do not predict"),
        "a base as data": (RECIPE, put("models.plain.data", ["rain/train", "big"]), "models.plain.data", "'big' is a base, and bases hold no posts; name a split or a dataset"),
        "a base of defaults": (RECIPE, put("defaults.finetune.bases", {"bigg": {"lr": 0.1}}), "defaults.finetune.bases", "no base 'bigg'; did you mean 'big'"),
        "a base of defaults that no node stands on": (RECIPE, put("defaults.finetune.bases", {"tiny": {"lr": 0.1}}), "defaults.finetune.bases", "no node of finetune stands on 'tiny'; known: big, linear"),
        "a base of another verb's defaults": (RECIPE, put("defaults.pretrain.bases", {"linear": {"seed": 3}}), "defaults.pretrain.bases", "no node of pretrain stands on 'linear'; known: big"),
        "an option of a base's defaults": (RECIPE, put("defaults.finetune.bases", {"big": {"lrr": 0.1}}), "defaults.finetune.bases.big", "no key 'lrr'; did you mean 'lr'"),
        "bases where there are none": (RECIPE, put("defaults.augment.bases", {"big": {"seed": 3}}), "defaults.augment", "no key 'bases'"),
        "axes of predictions": (RECIPE, put("defaults.predict.each", {"batch_tokens": [1, 2]}), "defaults.predict", "no key 'each'"),
        "a verb's own key in defaults": (RECIPE, put("defaults.finetune.finetune", "big"), "defaults.finetune.finetune", "each node says this for itself; leave it out"),
        "a key of another verb in defaults": (RECIPE, put("defaults.finetune.teachers", ["one"]), "defaults.finetune", "no key 'teachers'"),
        "a dataset of defaults": (RECIPE, both(drop("models.plain.data"), drop("models.one.data"), put("defaults.finetune.data", ["agred"])), "defaults.finetune.data", "no node 'agred'; did you mean 'agreed'"),
        "an axis": (RECIPE, put("predictors.together.over", ["sed"]), "predictors.together.over", "did you mean 'seed'"),
        "a positive class": (TASK, put("positive", ["yess"]), "positive", "did you mean 'yes'"),
        "a field of the prompt": (TASK, put("prompt", "{txt} {text} Answer:"), "prompt", "no field 'txt'; did you mean 'text'"),
        "an encoding": (TASK, put("splits.train.encoding", "utf8000"), "splits.train.encoding", "no encoding 'utf8000'"),
        "a base's name": (RECIPE, put("models.linear", MODEL), "models.linear", "already a base"),
        "a name in capitals": (RECIPE, put("models.Plain", MODEL), "models.Plain", "rename 'Plain'"),
        "a name twice": (RECIPE, put("predictors.plain", {"vote": ["expert"]}), "predictors.plain", "also a node under models"),
        "a label twice": (TASK, put("labels.1.word", "no"), "labels", "two labels have the word 'no'"),
        "a calibrated node": (RECIPE, put("predictors.fair", {**PRIOR, "calibrate": "plian"}), "predictors.fair.calibrate", "did you mean 'plain'"),
        "a way to calibrate": (RECIPE, put("predictors.fair", {**PRIOR, "method": "priors"}), "predictors.fair.method", "did you mean 'prior'"),
        "a target": (RECIPE, put("predictors.fair", {**PRIOR, "target": "unifrom"}), "predictors.fair.target", "'unifrom' does not fit.*uniform, a share for each label, or a split"),
        "a class with a share": (RECIPE, put("predictors.fair", {**PRIOR, "target": {"no": 0.9, "yess": 0.1}}), "predictors.fair.target", "give each label of .*rain.yaml a share: no, yes"),
        "a split to fit on": (RECIPE, put("predictors.fair", {**PRIOR, "fit": "dev"}), "predictors.fair.fit", "'dev' does not fit.*such as ages/dev"),
        "an axis to pick over": (RECIPE, put("predictors.best", {"pick": ["plain"], "fit": "rain/dev", "over": ["sed"]}), "predictors.best.over", "did you mean 'seed'"),
        "a machine's verb": (SCALE, put("bases.big.machine", {"finetnue": {"gpus": 1}}), "bases.big.machine", "no key 'finetnue'; did you mean 'finetune'"),
        "a part of the cluster": (CONFIG, put("cluster", {"partitions": "gpu"}), "cluster", "no key 'partitions'; did you mean 'partition'"),
        "a setting": (CONFIG, put("sudy", "x"), CONFIG, "no key 'sudy'; did you mean 'study'"),
        "a made task": (STUDY, both(drop("data"), put("made", {"seed": 1, "posts": {"rain": {}, "rein": {}}})), "made.posts", "did you mean 'rain'"),
    },
    "graph": {
        "a cycle": (RECIPE, put("models.reader.pretrain", "again"), "models.again", "again -> expert -> reader -> again is a cycle"),
        "a cycle through labels": (RECIPE, put("models.one.data", ["rain/train", "agreed"]), "datasets.agreed", "agreed -> one -> agreed is a cycle"),
        "itself": (RECIPE, put("models.plain.finetune", "plain"), "models.plain", "plain -> plain is a cycle"),
        "a join": (RECIPE, put("models.again.each", {"seed": [7]}), "models.again", "no value of a shared axis of 'expert'"),
        "dev in training": (RECIPE, put("models.plain.data", ["rain/train", "rain/dev"]), "models.plain.data", "rain/dev is a dev set.*rain/train"),
        "dev in augmentation": (RECIPE, put("datasets.filled.augment", "rain/dev"), "datasets.filled.augment", "rain/dev is a dev set.*rain/train"),
        "test in training": (RECIPE, put("models.plain.data", ["rain/test"]), "models.plain.data", "rain/test is a test set; finetune may read rain/train"),
        "test in pretraining": (RECIPE, put("models.reader.data", ["rain/test"]), "models.reader.data", "a test set.*transductive: true"),
        "test as pool": (RECIPE, put("datasets.agreed.label", "rain/test"), "datasets.agreed.label", "a test set.*transductive: true"),
        "the pool in training": (RECIPE, put("models.plain.data", ["rain/unlabeled"]), "models.plain.data", "no labels to learn"),
        "no posts": (RECIPE, drop("models.plain.data"), "models.plain", "finetune needs posts"),
        "equal teachers": (RECIPE, put("models.two", {**MODEL, "seed": 11}), "datasets.agreed.teachers", r"one and two are the same model \(tiny\)"),
        "linear teachers": (RECIPE, put("models.one", {"finetune": "linear", "data": ["rain/train"], "seed": 3}), "datasets.agreed.teachers", "same model"),
        "one teacher": (RECIPE, put("datasets.agreed.teachers", ["one"]), "datasets.agreed.teachers", "agreement is of two; name a second one, or keep confidence or random"),
        "three teachers": (RECIPE, put("datasets.agreed.teachers", ["one", "two", "plain"]), "datasets.agreed.teachers", "at most 2 values.*The predictors that give the labels, one or two"),
        "a control without budget": (RECIPE, put("datasets.agreed.keep", "random"), "datasets.agreed", "needs a budget, .*or a share; found none"),
        "a budget and a share": (RECIPE, put("datasets.drawn", {**DRAWN, "keep": "random", "share": 0.1}), "datasets.drawn", "needs a budget, .*or a share; found budget and share; keep one"),
        "a share of what is agreed": (RECIPE, put("datasets.agreed.share", 0.1), "datasets.agreed.share", "nothing reads it here; leave it out, or write keep: confidence or random"),
        "a share and a probability": (RECIPE, put("datasets.guessed", {**GUESSED, "keep": "confidence", "above": 0.9}), "datasets.guessed", "needs a budget, .*, or a share, or a probability under above; found share and above; keep one"),
        "a budget and a probability": (RECIPE, put("datasets.drawn", {**DRAWN, "keep": "confidence", "above": 0.9}), "datasets.drawn", "found budget and above; keep one"),
        "confidence without a number": (RECIPE, put("datasets.agreed.keep", "confidence"), "datasets.agreed", "or a share, or a probability under above; found none"),
        "a probability at random": (RECIPE, put("datasets.guessed", {**GUESSED, "above": 0.9}), "datasets.guessed.above", "nothing reads it here; leave it out, or write keep: confidence"),
        "agreement above a probability": (RECIPE, put("datasets.agreed.above", 0.9), "datasets.agreed.above", "nothing reads it here; leave it out, or write keep: confidence"),
        "a weight for nobody": (RECIPE, both(TWO_MEMBERS, put("predictors.together.weights", {"expert": 1, "plian": 2})), "predictors.together.weights", "there is no member 'plian'; did you mean 'plain'"),
        "a member without a weight": (RECIPE, both(TWO_MEMBERS, put("predictors.together.weights", {"expert": 1})), "predictors.together.weights", "plain has none; give each member a weight"),
        "a vote of one over no axis": (RECIPE, put("predictors.together.over", []), "predictors.together.over", "without an axis expert stands alone at each point; name a second member or an axis"),
        "a pick of one over no axis": (RECIPE, put("predictors.best", {"pick": ["plain"], "fit": "rain/dev", "over": []}), "predictors.best.over", "without an axis plain stands alone"),
        "members without a shared seed": (RECIPE, both(put("models.plain.each", {"seed": [7]}), TWO_MEMBERS, put("predictors.together.over", [])), "predictors.together", "no value of a shared axis of 'plain' is also one of the other members'"),
        "no share": (RECIPE, put("datasets.guessed", {**GUESSED, "share": 0}), "datasets.guessed.share", "more than 0, found 0"),
        "shares for folds": (RECIPE, both(POOLED, put("datasets.guessed", {**GUESSED, "folds": "pooled", "share": 0.3})), "datasets.guessed.share", "0.3 of the posts for each of 5 folds is more than all of them; write 0.2 at most"),
        "folds of no fold": (RECIPE, put("datasets.guessed", {**GUESSED, "folds": "filled"}), "datasets.guessed.folds", "'filled' is made by augment; name a node made by fold"),
        "folds of another task": (RECIPE, both(put("tasks.snow", "rain"), put("datasets.snowy", {"fold": ["snow/train"], "k": 5, "seed": 1}), put("datasets.guessed", {**GUESSED, "folds": "snowy"})), "datasets.guessed", "labels of one task; found rain, snow"),
        "audited on another task": (RECIPE, both(put("tasks.snow", "rain"), put("datasets.guessed", {**GUESSED, "fit": "snow/dev"})), "datasets.guessed", "labels of one task; found rain, snow"),
        "audited on test": (RECIPE, put("datasets.guessed", {**GUESSED, "fit": "rain/test"}), "datasets.guessed.fit", "rain/test is a test set; fit may read rain/dev"),
        "one teacher that knows dev": (RECIPE, both(POOLED, MEMBER, MEAN, put("datasets.guessed", {**GUESSED, "teachers": ["mean"], "fit": "rain/dev"})), "datasets.guessed.teachers", "mean learns from rain/dev in folds.*fit on rain/held-out"),
        "teachers of other held-out posts": (RECIPE, both(POOLED, MEMBER, MEAN, put("datasets.less", {"fold": ["rain/train"], "k": 5, "seed": 1}), put("models.other", {**MODEL, "data": ["less"]}), put("predictors.rest", {"vote": ["other"], "rule": "soft", "ties": "lowest"}), put("datasets.guessed", {**GUESSED, "teachers": ["mean", "rest"], "fit": "rain/held-out"})), "datasets.guessed", "stand on folds of different splits; fold the same ones"),
        "agreement with budget": (RECIPE, put("datasets.drawn", DRAWN), "datasets.drawn.budget", "leave the budget"),
        "a budget that labels nothing": (RECIPE, put("datasets.drawn", {**DRAWN, "keep": "random", "budget": "one"}), "datasets.drawn.budget", "'one' is made by finetune; name a node made by augment or resample or "),
        "a weight too few": (RECIPE, put("models.plain.class_weights", {"yes": 2}), "models.plain.class_weights", "give each label of rain a weight: no, yes"),
        "no weight": (RECIPE, put("models.plain.class_weights", {"no": 0, "yes": 2}), "models.plain.class_weights.no", "more than 0"),
        "a scored dataset": (RECIPE, put("score", {"filled": "rain/dev"}), "score.filled", "made by augment and gives no predictions"),
        "a model as data": (RECIPE, put("models.plain.data", ["rain/train", "reader"]), "models.plain.data", "'reader' is made by pretrain; name a node made by augment or resample or synthesize or label"),
        "a dataset as teacher": (RECIPE, put("datasets.agreed.teachers", ["one", "filled"]), "datasets.agreed.teachers", "made by augment; name a node made by finetune or vote"),
        "a vote as base": (RECIPE, put("models.plain.finetune", "together"), "models.plain.finetune", "made by vote; name a base or a model"),
        "two tasks in a node": (RECIPE, both(put("tasks.snow", "rain"), put("models.plain.data", ["rain/train", "snow/train"])), "models.plain", "labels of one task; found rain, snow"),
        "another task's test": (RECIPE, both(put("tasks.snow", "rain"), put("score", {"plain": "snow/dev"})), "score.plain", "predicts rain, not snow"),
        "a score on the pool": (RECIPE, put("score", {"plain": "rain/unlabeled"}), "score.plain", "no gold labels"),
        "nothing to fit on": (RECIPE, put("predictors.best", {"pick": ["plain"]}), "predictors.best", "pick needs gold posts; name the task's dev under fit"),
        "nothing to fit on in folds": (RECIPE, both(POOLED, MEMBER, MEAN, put("predictors.best", {"pick": ["mean"]})), "predictors.best", "pick needs gold posts; name rain/held-out under fit"),
        "nothing to fit on in folds of train": (RECIPE, both(put("datasets.pooled", {"fold": ["rain/train"], "k": 5, "seed": 42}), MEMBER, MEAN, put("predictors.fair", {**drop_key(CUT, "fit"), "calibrate": "mean"})), "predictors.fair", "calibrate needs gold posts; name rain/dev or rain/held-out under fit"),
        "dev in the data of defaults": (RECIPE, both(drop("models.plain.data"), drop("models.one.data"), put("defaults.finetune.data", ["rain/dev"])), "defaults.finetune.data", "rain/dev is a dev set.*rain/train"),
        "an axis of defaults and of nobody": (RECIPE, put("defaults.vote", {"over": ["sed"]}), "defaults.vote.over", "did you mean 'seed'"),
        "fitted on test": (RECIPE, put("predictors.fair", {**PRIOR, "fit": "rain/test"}), "predictors.fair.fit", "rain/test is a test set; fit may read rain/dev"),
        "fitted on test, owned up": (RECIPE, put("predictors.fair", {**PRIOR, "fit": "rain/test", "transductive": True}), "predictors.fair.fit", "rain/test is a test set; fit may read rain/dev"),
        "fitted on train": (RECIPE, put("predictors.fair", {**CUT, "fit": "rain/train"}), "predictors.fair.fit", "rain/train is what models learn from; fit may read rain/dev"),
        "picked on test": (RECIPE, put("predictors.best", {"pick": ["plain"], "fit": "rain/test"}), "predictors.best.fit", "rain/test is a test set; fit may read rain/dev"),
        "shares of a test set": (RECIPE, put("predictors.fair", {**PRIOR, "target": "rain/test"}), "predictors.fair.target", "a test set.*rain/unlabeled, or mark the node with transductive: true"),
        "shares of dev": (RECIPE, put("predictors.fair", {**PRIOR, "target": "rain/dev"}), "predictors.fair.target", "rain/dev is a dev set.*target may read rain/unlabeled"),
        "a prior without a target": (RECIPE, put("predictors.fair", {**CUT, "method": "prior", "lambda": [1.0]}), "predictors.fair", "method prior needs a target"),
        "a prior without lambda": (RECIPE, put("predictors.fair", {**CUT, "method": "prior", "target": "uniform"}), "predictors.fair", "calibrate needs lambda; give it in the node or in defaults.calibrate"),
        "a prior of two trainings": (RECIPE, both(put("predictors.jury", {"vote": ["one", "expert"], "rule": "soft", "ties": "lowest"}), put("predictors.fair", {**PRIOR, "calibrate": "jury"})), "predictors.fair.calibrate", "one and expert@seed=1 learn from different posts"),
        "candidates of two tasks": (RECIPE, both(put("tasks.snow", "rain"), put("models.snowy", {"finetune": "big", "data": ["snow/train"]}), put("predictors.best", {"pick": ["plain", "snowy"], "fit": "rain/dev"})), "predictors.best", "labels of one task; found rain, snow"),
        "fitted on another task": (RECIPE, both(put("tasks.snow", "rain"), put("predictors.fair", {**CUT, "fit": "snow/dev"})), "predictors.fair", "labels of one task; found rain, snow"),
        "a dataset calibrated": (RECIPE, put("predictors.fair", {**CUT, "calibrate": "filled"}), "predictors.fair.calibrate", "made by augment; name a node made by finetune or vote or calibrate or pick"),
        "two verbs": (RECIPE, put("models.plain.pretrain", "big"), "models.plain", "say exactly one of pretrain, finetune"),
        "no verb": (RECIPE, drop("models.plain.finetune"), "models.plain", "say exactly one of pretrain, finetune"),
        "a set that holds nothing": (RECIPE, drop("datasets.filled.fill"), "datasets.filled", "nothing to make"),
        "a value given nowhere": (RECIPE, drop("defaults.finetune.schedule"), "models.plain", "finetune needs schedule; give it in the node or in defaults.finetune or in the scale here"),
        "a loss without its number": (RECIPE, put("models.plain.loss", "mm-ldam"), "models.plain", "finetune needs max_m, mm_max_m, mm_gamma; give it in the node"),
        "a number without its loss": (RECIPE, put("models.plain.gamma", 2), "models.plain.gamma", "nothing reads it here; leave it out, or write loss: focal"),
        "a number of one loss in each": (RECIPE, put("models.plain.each", {"loss": ["cross-entropy", "focal"], "gamma": [1], "tau": [1]}), "models.plain.tau", "write loss: logit-adjusted"),
        "weights deferred by nothing": (RECIPE, put("models.plain.drw", 0.4), "models.plain.drw", "0.4 of 2 epochs is before the second, so nothing is deferred"),
        "weights of two kinds": (RECIPE, both(put("models.plain.drw", 0.5), put("models.plain.class_weights", "balanced")), "models.plain.drw", "write class_weights: none"),
        "predictions without a batch": (RECIPE, drop("defaults.predict"), "models.plain", "predict needs batch_tokens"),
        "a base that the scale lacks": (SCALE, drop("bases.linear"), "models.two.finetune", "scales/here.yaml: bases does not name 'linear'"),
        "folds of the pool": (RECIPE, put("datasets.pooled", {"fold": ["rain/unlabeled"], "k": 5, "seed": 1}), "datasets.pooled.fold", "no labels to learn; fold may read rain/train or rain/dev"),
        "folds of test": (RECIPE, put("datasets.pooled", {"fold": ["rain/train", "rain/test"], "k": 5, "seed": 1}), "datasets.pooled.fold", "a test set; fold may read rain/train or rain/dev"),
        "folds of a dataset": (RECIPE, put("datasets.pooled", {"fold": ["filled"], "k": 5, "seed": 1}), "datasets.pooled.fold", "'filled' is made by augment; name a split"),
        "folds without a number": (RECIPE, put("datasets.pooled", {"fold": ["rain/train"], "seed": 1}), "datasets.pooled", "fold needs k; give it in the node or in defaults.fold"),
        "trained on held-out posts": (RECIPE, put("models.plain.data", ["rain/held-out"]), "models.plain.data", "names predictions of held-out posts.*finetune may read rain/train"),
        "held out from nobody": (RECIPE, put("score", {"plain": "rain/held-out"}), "score.plain", "plain learns from no dataset made by fold, so no post is held out from it; name test or dev"),
        "held out from each": (RECIPE, both(POOLED, MEMBER, put("score", {"member": "rain/held-out"})), "score.member", "member is made for each fold.*name a vote over fold"),
        "held out from some": (RECIPE, both(POOLED, MEMBER, put("predictors.jury", {"vote": ["member", "plain"], "rule": "soft", "ties": "lowest"}), put("score", {"jury": "rain/held-out"})), "score.jury", "plain learns from no dataset made by fold"),
        "held out of other splits": (RECIPE, both(POOLED, MEMBER, MEAN, put("datasets.less", {"fold": ["rain/train"], "k": 5, "seed": 1}), put("models.other", {**MODEL, "data": ["less"]}), put("predictors.jury", {"vote": ["member", "other"], "rule": "soft", "ties": "lowest"}), put("score", {"jury": "rain/held-out"})), "score.jury", "stands on folds of different splits; fold the same ones"),
        "scored on dev that folds hold": (RECIPE, both(POOLED, MEMBER, put("score", {"member": "rain/dev"})), "score.member", "learns from rain/dev in folds; fold train alone, or score and fit on rain/held-out"),
        "fitted on dev that folds hold": (RECIPE, both(POOLED, MEMBER, MEAN, put("predictors.fair", {**PRIOR, "calibrate": "mean"})), "predictors.fair.fit", "mean learns from rain/dev in folds.*fit on rain/held-out"),
        "fitted on each fold": (RECIPE, both(POOLED, MEMBER, put("predictors.fair", {**PRIOR, "calibrate": "member", "fit": "rain/held-out"})), "predictors.fair.fit", "made for each fold.*name a vote over fold"),
        "picked among folds": (RECIPE, both(POOLED, MEMBER, put("predictors.best", {"pick": ["member"], "fit": "rain/held-out"})), "predictors.best.fit", "made for each fold.*name a vote over fold"),
        "teachers that know dev": (RECIPE, both(POOLED, MEMBER, MEAN, put("datasets.taught", {"label": "rain/unlabeled", "teachers": ["mean", "two"], "keep": "agreement"})), "datasets.taught.teachers", "mean learns from rain/dev in folds; fold train alone"),
        "folds of two kinds": (RECIPE, both(POOLED, put("datasets.other", {"fold": ["rain/train", "rain/dev"], "k": 5, "seed": 24}), put("models.member", {**MODEL, "data": ["pooled", "other"]})), "models.member", "stands on other@fold=1 and pooled@fold=1, which hold out other posts"),
        "train beside its folds": (RECIPE, both(POOLED, put("models.member", {**MODEL, "data": ["rain/train", "pooled"]})), "models.member", "rain/train stands in pooled already, in folds; name only pooled"),
        "f1 of no class": (TASK, drop("positive"), "positive", "metric f1 needs"),
        "auc of three": (TASK, both(put("metric", "auc"), lambda task: task["labels"].append(MIST)), "metric", "auc needs two labels, found 3"),
        "no place for the post": (TASK, put("prompt", "Rain? Answer:"), "prompt", "{text} 0 times"),
        "no place for the answer": (TASK, put("prompt", "Rain? {text}"), "prompt", "ends with a field"),
        "a keyword without a column": (TASK, put("prompt", "{keyword}: {text} Answer:"), "prompt", "names no keyword"),
        "a split without a file": (TASK, put("splits.dev", {}), "splits.dev", "no file, and divide.parts does not name it"),
        "train without labels": (TASK, drop("splits.train.columns.label"), "splits.train.columns", "label is missing"),
        "posts both made and read": (STUDY, put("made", {"seed": 1, "posts": {"rain": {}}}), "data", "makes up its own posts"),
    },
    "path": {
        "above the folder": (TASK, put("splits.train.file", "../rain.csv"), "splits.train.file", "without .."),
        "from the root": (TASK, put("splits.train.file", "/etc/passwd"), "splits.train.file", "below the folder of raw posts"),
        "a study elsewhere": (CONFIG, put("study", "../test"), "study", "does not fit"),
        "no folder of posts": (STUDY, put("data", "nowhere"), "splits.train.file", "nowhere/rain/train.csv is not there; expected are the columns text, label; made up"),
        "a file that is not there": (TASK, put("splits.dev.file", "rain/dve.csv"), "splits.dev.file", "rain/dve.csv is not there"),
        "a folder for a file": (TASK, put("splits.dev.file", "rain"), "splits.dev.file", "is no file"),
        "a pattern without a file": (TASK, both(drop("splits.unlabeled.file"), put("splits.unlabeled.files", "rain/*.tsv")), "splits.unlabeled.files", r"rain/\*.tsv is not there"),
        "no posts named": (STUDY, drop("data"), STUDY, "--config data=FOLDER"),
        "a base without source": (BASES, drop("tiny.make"), "tiny", "exactly one of hub"),
        "an endpoint without a model": (BASES, put("gpt", {"kind": "endpoint", "url": "http://localhost:8000/v1"}), "gpt", "An endpoint has url and model"),
        "an endpoint with weights": (BASES, put("gpt", {**GPT, "folder": "weights"}), "gpt", "An endpoint has url and model"),
        "weights behind an address": (BASES, put("tiny.url", "http://localhost:8000/v1"), "tiny", "exactly one of hub"),
        "a linear model from a folder": (BASES, put("linear.folder", "weights"), "linear", "A linear base has no other key"),
        "a key itself": (BASES, put("gpt", {**GPT, "key": "sk-0123456789"}), "gpt.key", "what stands there does not fit. The name of the environment variable"),
        "a number for a key": (BASES, put("gpt", {**GPT, "key": 123456789}), "gpt.key", "expected text, found what stands there"),
        "a key in an address": (BASES, put("gpt", {**GPT, "url": "http://me:sk-0123456789@localhost/v1"}), "gpt.url", "what stands there does not fit. .*without a key and without a query"),
        "a branch for a revision": (BASES, put("big.revision", "main"), "big.revision", "40 hexadecimal digits"),
    },
    "shell": {
        "in a study": (CONFIG, put("study", "test; touch spoilt"), "study", "does not fit"),
        "in a recipe": (STUDY, put("recipes", ["$(touch spoilt)"]), "recipes.0", "does not fit"),
        "in a task": (RECIPE, put("tasks.rain", "`touch spoilt`"), "tasks.rain", "does not fit"),
        "in a node": (RECIPE, put("models.a b", MODEL), "models.a b", "rename 'a b'"),
        "in an axis": (RECIPE, put("models.plain.each", {"lr": {"$(touch spoilt)": 0.1}}), "models.plain.each.lr", "does not fit"),
        "in a base": (BASES, put("tiny' ; touch spoilt", {"kind": "linear"}), BASES, "does not fit"),
        "in a package": (BASES, put("kit", {"kind": "encoder", "package": "os;touch spoilt"}), "kit.package", "does not fit"),
        "braces in a file": (TASK, put("splits.train.file", "rain/{train}.csv"), "splits.train.file", "without braces"),
        "a line break in a file": (TASK, put("splits.train.file", "rain/train.csv\ntouch spoilt"), "splits.train.file", "does not fit"),
    },
    "YAML": {
        "a key twice": (RECIPE, text("  plain:", "  two: {finetune: linear, data: [rain/train]}\n  plain:"), "line", "'two' stands twice"),
        "on as a key": (RECIPE, text("  plain:", "  on:"), "line", "the key on is read as bool; put it in quotes"),
        "a number as a key": (SCALE, text("  big:", "  72:"), "line", "the key 72 is read as int"),
        "a tab": (RECIPE, text("  plain:", "\tplain:"), "line", "this is not YAML"),
        "an open bracket": (RECIPE, text("- rain/dev", "- [rain/dev"), "line", "this is not YAML"),
        "code": (RECIPE, text("A small system", "!!python/object/apply:os.system [touch spoilt]"), "line", "this is not YAML"),
        "no number": (RECIPE, text("lr: 5.0e-06", "lr: .nan"), "line", ".nan is no number"),
        "no end": (RECIPE, text("lr: 5.0e-06", "lr: -.inf"), "line", "-.inf is no number"),
        "an octal number": (RECIPE, text("seed: 11", "seed: 011"), "line", "YAML reads 011 as another number"),
        "a clock for a number": (RECIPE, text("seed: 11", "seed: 1:30"), "line", "YAML reads 1:30 as another number"),
        "an empty file": (RECIPE, text("", ""), RECIPE, "the file is empty"),
        "a list": (SCALE, text("", "- bases"), SCALE, "expected a mapping"),
        "two documents": (STUDY, text("scale:", "---\nscale:"), "line", "this is not YAML"),
        "an unknown alias": (RECIPE, text("seed: 11", "seed: *eleven"), "line", "this is not YAML"),
        "an alias of itself": (RECIPE, text("title: A small system", "title: x\nreadings: &r [*r]"), "line", "an alias"),
        "a bomb": (RECIPE, text("", BOMB), "line", "an alias"),
        "Latin letters": (TASK, lambda task: yaml.safe_dump({**task, "source": "XX"}).encode().replace(b"XX", b"caf\xe9"), "line", "not UTF-8"),
    },
}
CASES = {f"{kind}: {name}": case for kind, cases in FAULTS.items() for name, case in cases.items()}
