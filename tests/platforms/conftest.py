"""Lets assertions in the contract explain themselves."""

import pytest

pytest.register_assert_rewrite("tests.platforms.contract")
