"""docs/adding-a-cell.md, followed to the letter in a copy of the tree."""

from tests.helpers.following import ROOT, copy_of_the_tree, follow, passed

# The layer, the list of cases, and a language model; the other tests run on every cell alike.
CHECKS = [
    "tests/zoo/layers/test_cells.py::test_layer[light_gru]",
    "tests/zoo/layers/test_cells.py::test_every_cell_is_a_case",
    "tests/zoo/models/test_language_models.py::test_distributions_sum_to_one[light_gru]",
]


def test_the_page_adds_a_cell(tmp_path):
    copy_of_the_tree(tmp_path)
    assert len(follow(ROOT / "docs" / "adding-a-cell.md", tmp_path)) == 9
    assert passed(tmp_path, CHECKS) == len(CHECKS)
