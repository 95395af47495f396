"""docs/adding-a-model.md, followed to the letter in a copy of the tree."""

from tests.helpers.following import ROOT, copy_of_the_tree, follow, passed

CHECKS = [
    "tests/test_conformance.py::test_every_architecture[log_bilinear-NumPy forward]",
    "tests/test_conformance.py::test_every_architecture[log_bilinear-masks]",
    *(
        f"tests/zoo/models/test_language_models.py::{check}"
        for check in (
            "test_scores_agree_with_steps_and_do_not_depend_on_the_batch[log_bilinear]",
            "test_consuming_a_text_is_stepping_through_it[log_bilinear]",
            "test_presets_keep_a_model[log_bilinear-float32]",
        )
    ),
]


def test_the_page_adds_a_model(tmp_path):
    copy_of_the_tree(tmp_path)
    assert len(follow(ROOT / "docs" / "adding-a-model.md", tmp_path)) == 8
    assert passed(tmp_path, CHECKS) == len(CHECKS)
