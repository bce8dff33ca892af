"""Four changes to each of the real projects, as small edits. Data; what is made of it is in `shows`.

The base has a bug that one of the project's own tests sees, so that there is something to mend, and something to hide.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from tests.support import real_projects
from tests.support.real_projects import Project


class Kind(StrEnum):
    """What somebody did."""

    GOOD = "good"  # mends the bug and adds a test for it
    BREAKING = "breaking"  # breaks something that another test of the project sees
    FLAKY = "flaky"  # the good one, where the base has a test that fails on each third run
    CHEATING = "cheating"  # deletes or skips the test that sees the bug


@dataclass(frozen=True, slots=True)
class Edit:
    """`old` stands once in the file and becomes `new`; without `old` the file is new. In `new`, `@RUNS@` stands
    for a file outside of the checkout that grows by a byte with each run of the flaky test."""

    path: str
    old: str
    new: str

    @property
    def undone(self) -> Edit:
        return Edit(self.path, self.new, self.old)

    def make(self, folder: Path, runs: Path) -> None:
        """Raises `ValueError` where `old` does not stand there once."""
        path = folder / self.path
        text = path.read_text(encoding="utf-8") if self.old else ""
        if self.old and text.count(self.old) != 1:
            raise ValueError(f"{self.path} has {text.count(self.old)} times {self.old!r}")
        new = self.new.replace("@RUNS@", str(runs))
        path.write_text(text.replace(self.old, new) if self.old else new, encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Story:
    """The edits for a project, and the tests that they are about, by the end of their ids."""

    project: Project
    bug: Edit
    sees: str  # the test of the project that sees the bug
    test: Edit  # one more test that sees it
    adds: str
    breaks: Edit
    broken: str
    cheats: Edit
    flaky: Edit
    shaky: str

    def base(self, kind: Kind) -> Sequence[Edit]:
        return (self.bug, self.flaky) if kind is Kind.FLAKY else (self.bug,)

    def change(self, kind: Kind) -> Sequence[Edit]:
        if kind is Kind.BREAKING:
            return (self.breaks,)
        return (self.cheats,) if kind is Kind.CHEATING else (self.bug.undone, self.test)


_INFLECTION = Story(
    project=real_projects.INFLECTION,
    bug=Edit("inflection/__init__.py", r"r'(?i)\b(%s)\Z'", r"r'(?i)(%s)\Z'"),
    sees="::test_uncountable_word_is_not_greedy",
    test=Edit(
        "test_inflection.py",
        "def test_uncountable_word_is_not_greedy():\n",
        "def test_words_that_end_like_an_uncountable_one():\n"
        '    assert inflection.singularize("bluejeans") == "bluejean"\n\n\n'
        "def test_uncountable_word_is_not_greedy():\n",
    ),
    adds="::test_words_that_end_like_an_uncountable_one",
    breaks=Edit("inflection/__init__.py", "string[0].lower() + camelize", "string[0] + camelize"),
    broken="::test_camelize_with_lower_downcases_the_first_letter",
    cheats=Edit(
        "test_inflection.py",
        "def test_uncountable_word_is_not_greedy():\n",
        "def uncountable_word_is_not_greedy():\n",
    ),
    flaky=Edit(
        "test_now_and_then.py",
        "",
        "def test_now_and_then():\n"
        '    with open("@RUNS@", "ab") as runs:\n'
        '        runs.write(b"x")\n'
        "        assert runs.tell() % 3 != 2\n",
    ),
    shaky="::test_now_and_then",
)
_OBJECT_PATH = Story(
    project=real_projects.OBJECT_PATH,
    bug=Edit("index.js", "arr.splice(at, 0, value)", "arr.splice(0, 0, value)"),
    sees="::should insert in another index",
    test=Edit(
        "test.js",
        "  it('should insert in another index', function () {\n",
        "  it('should insert at the end', function () {\n"
        "    var obj = getTestObj()\n\n"
        "    objectPath.insert(obj, 'b.d', 'c', 2)\n"
        "    expect(obj.b.d).to.eql(['a', 'b', 'c'])\n"
        "  })\n\n"
        "  it('should insert in another index', function () {\n",
    ),
    adds="::should insert at the end",
    breaks=Edit(
        "index.js",
        "if ((value = objectPath.get(obj, paths[i])) !== void 0) {",
        "if ((value = objectPath.get(obj, paths[i]))) {",
    ),
    broken="::should work with falsy values (null, 0, '', false)",
    cheats=Edit("test.js", "it('should insert in another index'", "it.skip('should insert in another index'"),
    flaky=Edit(
        "test.js",
        "describe('bind object', function () {\n",
        "describe('clock', function () {\n"
        "  it('should work now and then', function () {\n"
        "    var fs = require('fs')\n"
        "    fs.appendFileSync('@RUNS@', 'x')\n"
        "    expect(fs.statSync('@RUNS@').size % 3).to.not.equal(2)\n"
        "  })\n"
        "})\n\n"
        "describe('bind object', function () {\n",
    ),
    shaky="::should work now and then",
)
_UUID = Story(
    project=real_projects.UUID,
    bug=Edit(
        "uuid.go",
        'if !strings.EqualFold(s[:9], "urn:uuid:") {\n\t\t\treturn uuid, fmt',
        'if !strings.HasPrefix(s, "urn:uuid:") {\n\t\t\treturn uuid, fmt',
    ),
    sees="::TestUUID",
    test=Edit(
        "uuid_test.go",
        "func TestWrongLength(t *testing.T) {\n",
        "func TestParseURNInCapitals(t *testing.T) {\n"
        '\tif _, err := Parse("URN:UUID:F47AC10B-58CC-0372-8567-0E02B2C3D479"); err != nil {\n'
        "\t\tt.Error(err)\n\t}\n}\n\n"
        "func TestWrongLength(t *testing.T) {\n",
    ),
    adds="::TestParseURNInCapitals",
    breaks=Edit("uuid.go", "_, ok := err.(invalidLengthError)", "_, ok := err.(*invalidLengthError)"),
    broken="::TestIsWrongLength",
    cheats=Edit(
        "uuid_test.go",
        "func TestUUID(t *testing.T) {\n"
        "\tfor _, tt := range tests {\n"
        "\t\ttestTest(t, tt.in, tt)\n"
        "\t\ttestTest(t, strings.ToUpper(tt.in), tt)\n"
        "\t\ttestBytes(t, []byte(tt.in), tt)\n\t}\n}\n",
        "",
    ),
    flaky=Edit(
        "now_and_then_test.go",
        "",
        'package uuid\n\nimport (\n\t"os"\n\t"testing"\n)\n\n'
        "func TestNowAndThen(t *testing.T) {\n"
        '\truns, err := os.OpenFile("@RUNS@", os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0600)\n'
        "\tif err != nil {\n\t\tt.Fatal(err)\n\t}\n"
        "\tdefer runs.Close()\n"
        '\truns.WriteString("x")\n'
        "\tif found, err := runs.Stat(); err != nil || found.Size()%3 == 2 {\n"
        '\t\tt.Error("this time it fails", err)\n\t}\n}\n',
    ),
    shaky="::TestNowAndThen",
)
_STRSIM = Story(
    project=real_projects.STRSIM,
    bug=Edit(
        "src/lib.rs",
        "let b: String = b.chars().filter(|&x| !char::is_whitespace(x)).collect();",
        "let b: String = b.chars().collect();",
    ),
    sees="::sorensen_dice_all",
    test=Edit(
        "tests/lib.rs",
        "#[test]\nfn jaro_winkler_works() {\n",
        "#[test]\nfn sorensen_dice_ignores_blanks() {\n"
        '    assert_delta!(1.0, strsim::sorensen_dice("apple event", "apple    event"));\n'
        "}\n\n"
        "#[test]\nfn jaro_winkler_works() {\n",
    ),
    adds="::sorensen_dice_ignores_blanks",
    breaks=Edit(
        "src/lib.rs",
        "                curr_distances[j + 1] = min(curr_distances[j + 1], prev_two_distances[j - 1] + 1);\n",
        "                curr_distances[j + 1] = min(curr_distances[j + 1], prev_two_distances[j - 1] + 2);\n",
    ),
    broken="::osa_distance_end_transposition",
    cheats=Edit(
        "src/lib.rs",
        "    #[test]\n    fn sorensen_dice_all() {\n",
        "    #[test]\n    #[ignore]\n    fn sorensen_dice_all() {\n",
    ),
    flaky=Edit(
        "tests/now_and_then.rs",
        "",
        "use std::fs::OpenOptions;\nuse std::io::Write;\n\n"
        "#[test]\nfn now_and_then() {\n"
        '    let mut runs = OpenOptions::new().append(true).create(true).open("@RUNS@").unwrap();\n'
        '    runs.write_all(b"x").unwrap();\n'
        "    assert_ne!(runs.metadata().unwrap().len() % 3, 2);\n}\n",
    ),
    shaky="::now_and_then",
)
_UTIL = "org/apache/commons/cli/Util"
_COMMONS_CLI = Story(
    project=real_projects.COMMONS_CLI,
    bug=Edit(
        f"src/main/java/{_UTIL}.java",
        'if (length > 1 && str.startsWith("\\"") && str.endsWith',
        'if (str.startsWith("\\"") && str.endsWith',
    ),
    sees="UtilTest::testStripLeadingAndTrailingQuotes",
    test=Edit(
        f"src/test/java/{_UTIL}Test.java",
        "    @Test\n    public void testStripLeadingHyphens() {\n",
        "    @Test\n    public void testLoneQuoteStays() {\n"
        '        assertEquals("\\"", Util.stripLeadingAndTrailingQuotes("\\""));\n    }\n\n'
        "    @Test\n    public void testStripLeadingHyphens() {\n",
    ),
    adds="UtilTest::testLoneQuoteStays",
    breaks=Edit(
        f"src/main/java/{_UTIL}.java",
        "return str.substring(2);",
        'return str.substring(2).replaceFirst("^-+", "");',
    ),
    broken="UtilTest::testStripLeadingHyphens",
    cheats=Edit(
        f"src/test/java/{_UTIL}Test.java",
        "    @Test\n    public void testStripLeadingAndTrailingQuotes() {\n",
        "    @org.junit.jupiter.api.Disabled\n    @Test\n"
        "    public void testStripLeadingAndTrailingQuotes() {\n",
    ),
    flaky=Edit(
        "src/test/java/org/apache/commons/cli/NowAndThenTest.java",
        "",
        "package org.apache.commons.cli;\n\n"
        "import static java.nio.file.StandardOpenOption.APPEND;\n"
        "import static java.nio.file.StandardOpenOption.CREATE;\n"
        "import static org.junit.jupiter.api.Assertions.assertNotEquals;\n\n"
        "import java.nio.file.Files;\nimport java.nio.file.Path;\nimport java.nio.file.Paths;\n\n"
        "import org.junit.jupiter.api.Test;\n\n"
        "public class NowAndThenTest {\n"
        "    @Test\n    public void testNowAndThen() throws Exception {\n"
        '        final Path runs = Paths.get("@RUNS@");\n'
        "        Files.write(runs, new byte[1], CREATE, APPEND);\n"
        "        assertNotEquals(2, Files.size(runs) % 3);\n    }\n}\n",
    ),
    shaky="NowAndThenTest::testNowAndThen",
)
STORIES = (_INFLECTION, _OBJECT_PATH, _UUID, _STRSIM, _COMMONS_CLI)
