from __future__ import annotations

import pytest
import torch

from coresift.recommenders.writing.token_trie import TokenTrie

SEQUENCES = [[3, 1, 9], [3, 2, 2, 9], [1, 9], [3, 1, 9], [3, 1, 4, 9]]


def prefixes(sequences):
    return {tuple(sequence[:length]) for sequence in sequences for length in range(len(sequence) + 1)}


def path(trie, node):
    tokens = []
    while node > 0:
        tokens.append(int(trie.token[node]))
        node = int(trie.parent[node])
    return tuple(tokens[::-1])


def test_nodes_are_the_distinct_prefixes():
    trie = TokenTrie(SEQUENCES, 10)
    assert {path(trie, node) for node in range(len(trie))} == prefixes(SEQUENCES)
    assert [path(trie, int(leaf)) for leaf in trie.leaf] == [tuple(sequence) for sequence in SEQUENCES]
    assert trie.leaf[0] == trie.leaf[3]
    assert trie.longest == 4


def test_walking_and_allowed_tokens_equal_a_plain_dictionary():
    trie = TokenTrie(SEQUENCES, 10)
    known = prefixes(SEQUENCES)
    generator = torch.Generator().manual_seed(0)
    for width in range(4):
        rows = torch.randint(1, 5, (50, width), generator=generator)
        nodes = trie.walk(rows)
        allowed = trie.allowed(nodes)
        for row, node, tokens in zip(rows.tolist(), nodes.tolist(), allowed, strict=True):
            inside = tuple(row) in known
            assert (node >= 0) == inside
            assert not inside or path(trie, node) == tuple(row)
            expected = {token for token in range(10) if inside and (*row, token) in known}
            assert set(tokens.nonzero().flatten().tolist()) == expected


@pytest.mark.parametrize("wrong", [[[1, 2], [1]], [[1], []]])
def test_a_beginning_of_another_sequence_is_refused(wrong):
    with pytest.raises(ValueError, match="end every sequence by one token"):
        TokenTrie(wrong, 10)
