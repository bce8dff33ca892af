"""Small real projects, one per tool: name of the file to its text. Each has a test that passes and one that fails."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def laid_out(root: Path, files: Mapping[str, str]) -> Path:
    """The files below `root`, which is given back."""
    root.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


GO = {
    "go.mod": "module example.com/m\n\ngo 1.21\n",
    "a/a.go": "package a\n\nfunc Add(x, y int) int { return x + y }\n",
    "a/a_test.go": """package a

import (
	"fmt"
	"testing"
)

func TestAdd(t *testing.T) {
	fmt.Println("<it> \\\\ says \\"hello\\"\\tto you")
	if Add(1, 2) != 3 {
		t.Fatal("no")
	}
}

func TestMany(t *testing.T) {
	for _, name := range []string{"one two", "a(b)|c", "x/y"} {
		t.Run(name, func(t *testing.T) {
			if name == "x/y" {
				t.Errorf("bad %q", name)
			}
		})
	}
}
""",
    "b/b.go": 'package b\n\nimport "example.com/m/a"\n\nfunc Twice(x int) int { return a.Add(x, x) }\n',
    "b/b_test.go": """package b

import "testing"

func TestTwice(t *testing.T) {
	if Twice(2) != 4 {
		t.Fatal("no")
	}
}
""",
    "c/c_test.go": 'package c\n\nimport "testing"\n\nfunc TestAlone(t *testing.T) {}\n',
}

CARGO = {
    "Cargo.toml": '[package]\nname = "adding"\nversion = "0.1.0"\nedition = "2021"\n\n[workspace]\nmembers = ["more"]\n',
    "src/lib.rs": """/// ```
/// assert_eq!(adding::add(1, 2), 3);
/// ```
pub fn add(a: i32, b: i32) -> i32 {
    a + b
}

#[cfg(test)]
mod tests {
    #[test]
    fn adds() {
        assert_eq!(super::add(1, 2), 3)
    }
    #[test]
    fn adds_wrongly() {
        assert_eq!(super::add(1, 2), 4)
    }
}
""",
    "tests/whole.rs": "#[test]\nfn works() {\n    assert_eq!(adding::add(1, 1), 2)\n}\n",
    "more/Cargo.toml": '[package]\nname = "more"\nversion = "0.1.0"\nedition = "2021"\n',
    "more/src/lib.rs": "#[test]\nfn more_works() {}\n",
}

_POM = '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'


def _module(name: str) -> str:
    parent = "<parent><groupId>g</groupId><artifactId>whole</artifactId><version>1</version></parent>"
    return f"{_POM}{parent}<artifactId>{name}</artifactId></project>"


def _junit4(name: str) -> str:
    return f"""package x;

import static org.junit.Assert.assertEquals;
import org.junit.Test;

public class {name} {{
    @Test public void good() {{ assertEquals(2, 1 + 1); }}
    @Test public void bad() {{ assertEquals(3, 1 + 1); }}
}}
"""


MAVEN = {
    "pom.xml": f"""{_POM}
  <groupId>g</groupId><artifactId>whole</artifactId><version>1</version><packaging>pom</packaging>
  <modules><module>one</module><module>two</module></modules>
  <properties><maven.compiler.source>8</maven.compiler.source><maven.compiler.target>8</maven.compiler.target></properties>
  <dependencies><dependency>
    <groupId>junit</groupId><artifactId>junit</artifactId><version>4.13.2</version><scope>test</scope>
  </dependency></dependencies>
</project>
""",
    "one/pom.xml": _module("one"),
    "one/src/test/java/x/OneTest.java": _junit4("OneTest"),
    "two/pom.xml": _module("two"),
    "two/src/test/java/x/TwoTest.java": _junit4("TwoTest"),
}

CTEST = {
    "CMakeLists.txt": """cmake_minimum_required(VERSION 3.16)
project(x C)
enable_testing()
add_executable(a a.c)
add_test(NAME good COMMAND a)
add_test(NAME good.too COMMAND a)
add_test(NAME goodxtoo COMMAND a)
add_test(NAME bad COMMAND a 1)
""",
    "a.c": "int main(int count, char **words) { (void)words; return count - 1; }\n",
}

BATS = {
    "test/a.bats": """@test "adds (x) | 'y'" { [ 1 -eq 1 ]; }
@test "adds" { [ 1 -eq 1 ]; }
@test "fails" { [ 1 -eq 2 ]; }
""",
    "test/b.bats": '@test "other" { true; }\n',
}
