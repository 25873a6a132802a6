"""The published table: whole, consistent in itself, and beside nothing that it does not belong to."""

import pytest
import tiny_records

from zsl_jax.data import published, xlsa17

CUB = tiny_records.record(benchmark="CUB", files={"res101.mat": "a" * 64, "att_splits.mat": tiny_records.CUB_SPLITS})[
    "dataset"
]
HONEST = ("inductive", "validation classes")


def test_the_table_is_whole():
    authors = [row for row in published.table() if row.source == "xian2018"]
    assert len({row.method for row in authors}) == 14
    assert len(authors) == 14 * 5
    assert {row.dataset for row in published.table()} == set(xlsa17.PROPOSED_SPLITS)
    assert sum(row.zsl is None for row in authors) == 5  # CMT* is a GZSL row only
    again = [row for row in published.table() if row.source == "mvp18"]
    assert len(again) == 6 * 5
    assert all(row.zsl is not None for row in again)


def test_harmonic_means_agree_with_their_parts():
    """To the rounding of u, s and H to one decimal, but for the one cell whose note says so."""
    odd = []
    for row in published.table():
        if row.unseen is None:
            continue
        low, high = (
            2 * max(row.unseen + d, 0) * (row.seen + d) / max(row.unseen + row.seen + 2 * d, 1e-9)
            for d in (-0.05, 0.05)
        )
        if not low - 0.0501 <= row.harmonic <= high + 0.0501:
            odd.append((row.method, row.dataset, row.note))
    assert odd == [("IAP", "SUN", "the harmonic mean of 1.0 and 37.8 is 1.9")]


def test_what_was_cross_checked_is_said():
    checked = {row.method for row in published.table() if row.source == "xian2018" and row.zsl_checked and row.zsl}
    assert checked == {"ALE", "DeViSE", "SJE", "ESZSL", "SAE"}
    gzsl = {(row.method, row.dataset) for row in published.table() if row.source == "xian2018" and row.gzsl_checked}
    assert {method for method, _ in gzsl} == {"ESZSL", "SAE", "SSE"}
    assert ("SSE", "AWA1") not in gzsl


def test_a_published_row_stands_beside_the_same_protocol_only():
    (authors, again) = published.beside("ale", CUB, *HONEST)
    assert (authors.row.zsl, again.row.zsl) == (54.9, 48.98)
    assert authors.differs == ()
    assert again.differs == ("published is trained on train_loc only, without the validation classes",)
    assert len(authors.unverified) == 1
    assert "features" in authors.unverified[0]
    assert [match.row.method for match in published.beside("sae", CUB, *HONEST)] == ["SAE", "SAE (V->S)", "SAE (S->V)"]
    assert [match.row.method for match in published.beside("cmt_novelty", CUB, *HONEST)] == ["CMT*"]
    assert published.beside("softmax", CUB, *HONEST) == []
    assert published.beside("ale", CUB | {"benchmark": None}, *HONEST) == []


@pytest.mark.parametrize(
    ("dataset", "protocol", "words"),
    [
        ({}, ("instance-transductive", "validation classes"), "ours is instance-transductive"),
        ({}, ("inductive", "test"), "ours is chosen on test"),
        ({"semantics": "sent"}, HONEST, "describes classes by 'sent'"),
        ({"attributes": "original_att"}, HONEST, "from 'original_att'"),
        ({"split": "own"}, HONEST, "split 'own'"),
    ],
)
def test_what_differs_is_named(dataset, protocol, words):
    match = published.beside("ale", CUB | dataset, *protocol)[0]
    assert len(match.differs) == 1
    assert words in match.differs[0]


def test_another_file_of_splits_is_not_verified():
    match = published.beside("ale", CUB | {"files": {"att_splits.mat": "c" * 64}}, *HONEST)[0]
    assert match.differs == ()
    assert any("att_splits.mat" in line for line in match.unverified)
