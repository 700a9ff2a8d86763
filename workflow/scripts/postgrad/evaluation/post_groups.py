"""Groups of posts that are not independent of each other, and are therefore drawn together."""

import numpy as np
import pandas as pd
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components


def post_groups(authors: pd.Series, duplicates: pd.Series) -> np.ndarray:
    """Return the number of the group of each post.

    Posts belong to one group if they have the same author or the same group of duplicates, also by
    way of other posts. A missing value connects nothing.

    Parameters
    ----------
    authors, duplicates
        The author of each of n posts, and the group of duplicates to which it belongs.

    Returns
    -------
    ndarray of shape (n,)
        Numbers from 0.

    Examples
    --------
    >>> authors = pd.Series(["ada", "ada", None, "bob"])
    >>> post_groups(authors, duplicates=pd.Series(["1", "2", "2", "3"])).tolist()
    [0, 0, 0, 1]
    """
    posts, columns, width = [], [], len(authors)
    for values in (authors, duplicates):
        codes, names = pd.factorize(values)
        known = np.flatnonzero(codes >= 0)
        posts.append(known)
        columns.append(codes[known] + width)
        width += len(names)
    edges = (np.concatenate(posts), np.concatenate(columns))
    graph = coo_matrix((np.ones(len(edges[0]), dtype=bool), edges), shape=(width, width))
    numbers = connected_components(graph, directed=False)[1][: len(authors)]
    return pd.factorize(numbers)[0]
