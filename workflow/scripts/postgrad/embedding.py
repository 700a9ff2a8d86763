"""Text -> a point on the unit sphere, by an encoder without a head."""

import numpy as np
import torch
import transformers

from postgrad.batches import within_budget
from postgrad.examples import inputs, token_ids
from postgrad.models import load_model, load_tokenizer, set_threads
from postgrad.posts import input_texts

TOKENS = 256  # of a post at most, as all-MiniLM-L6-v2 was made for
BATCH = 4096  # tokens

transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()


def embeddings(folder, frame):
    """(n, d) float64: the mean of a post's tokens in the last layer, at length 1 (Reimers & Gurevych 2019).

    folder: of an encoder. One thread, so that the same posts give the same bytes.
    """
    set_threads(1)
    tokenizer = load_tokenizer(folder)
    model = load_model(folder, "plain").eval().requires_grad_(False)
    model.to("cuda" if torch.cuda.is_available() else "cpu")
    rows = token_ids(input_texts(frame), tokenizer, min(TOKENS, model.config.max_position_embeddings))
    vectors = np.zeros((len(rows), model.config.hidden_size))
    with torch.inference_mode():
        for group in within_budget([len(row) for row in rows], BATCH):
            batch = inputs([rows[i] for i in group], tokenizer.pad_token_id)
            batch = {name: tensor.to(model.device) for name, tensor in batch.items()}
            mask = batch["attention_mask"][..., None]
            sums = (model(**batch).last_hidden_state * mask).sum(dim=1)
            vectors[group] = (sums / mask.sum(dim=1)).double().cpu().numpy()
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
