"""What the set-up of the base downloaded, later rooms need not download again; what anybody else put aside they don't find."""

from __future__ import annotations

from pathlib import Path

import pytest

from ci_agent.evidence import Evidence
from ci_agent.journal.events import SetupRan
from tests.evidence.ground import scene
from tests.sandbox.confining import needs_landlock
from tests.support.package_index import WHEEL, package_index

SHOP = "import sys\n\nsys.path.insert(0, 'vendor')\n\nfrom tiny_package import SIZE\n"
TESTS = """\
import os
import shutil
import unittest
from pathlib import Path

from shop import SIZE


class Shop(unittest.TestCase):
    def test_size(self):
        self.assertEqual(SIZE, 1)

    def test_the_cache_is_that_of_the_set_up(self):
        cache = Path(os.environ["PIP_CACHE_DIR"])
        self.assertFalse((cache / "planted").exists())
        self.assertTrue((cache / "http").exists() or (cache / "http-v2").exists())

    @classmethod
    def tearDownClass(cls):
        cache = Path(os.environ["PIP_CACHE_DIR"])
        shutil.rmtree(cache)
        cache.mkdir()
        (cache / "planted").touch()
"""


@needs_landlock  # where commands could change what was kept, nothing is
@pytest.mark.slow
def test_a_second_room_downloads_nothing_again_and_finds_nothing_of_what_tests_put_aside(
    tmp_path: Path,
) -> None:
    with package_index() as index:
        here = scene(tmp_path, {"shop.py": SHOP, "test_shop.py": TESTS}, setup=index.install)
        changes = [{"shop.py": f"{SHOP}NUMBER = {number}\n"} for number in (1, 2)]
        found = here.examine(*changes)
        assert index.downloads == [WHEEL]
    ran = here.of(SetupRan)
    assert len(ran) >= 3
    assert {fact.exit_code for fact in ran if isinstance(fact, SetupRan)} == {0}
    assert found.after is not None
    assert [case.result for case in found.after.cases if case.result.bad] == []
    assert found.compared.newly_broken == ()


def test_nothing_is_laid_out_for_a_room_before_it_is_needed(tmp_path: Path) -> None:
    with scene(tmp_path, {"shop.py": ""}).ground() as ground:
        evidence = Evidence(ground)
        made = {path.name for path in ground.folder.iterdir()}
        evidence.close()
    assert made == {"session.jsonl", "control.git"}
