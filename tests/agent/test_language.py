"""In which language an issue is written."""
# ruff: noqa: RUF001 - letters of other scripts are what this is about

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_agent.agent.language import language


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("`slugify()` 会把连续的空格变成两个短横线,应该只有一个。", "Chinese"),
        ("スペースが二つあると、ダッシュも二つになってしまいます。修正してください。", "Japanese"),
        ("공백이 두 개 있으면 대시도 두 개가 됩니다. 하나만 있어야 합니다.", "Korean"),
        ("Δύο κενά δίνουν δύο παύλες αντί για μία.", "Greek"),
        ("Два пробела превращаются в два дефиса, а нужен один.", "the language of the issue"),
        ("يجب أن تتحول المسافتان إلى شرطة واحدة فقط.", "the language of the issue"),
        (
            "Wenn der Titel zwei Leerzeichen enthält, wird das Ergebnis falsch und die Seite ist nicht mehr erreichbar.",
            "German",
        ),
        (
            "Lorsque le titre contient deux espaces, les tirets sont doublés et ce n'est pas correct dans une URL.",
            "French",
        ),
        (
            "Cuando el título tiene dos espacios se generan dos guiones, pero en las rutas hay que usar uno.",
            "Spanish",
        ),
        (
            "Quando o título tem dois espaços, não é gerado um hífen mas dois, e isso quebra os links do site.",
            "Portuguese",
        ),
        (
            "Quando il titolo contiene due spazi, il risultato non è corretto perché i trattini sono due per parola.",
            "Italian",
        ),
        ("When the title has two blanks, the slug has two dashes, but it should be one.", None),
        ("Fails with `TypeError`", None),
        ("", None),
    ],
)
def test_the_language_of_an_issue(text: str, meant: str | None) -> None:
    assert language(text) == meant


def test_code_and_output_are_in_no_language() -> None:
    fence = "```\nraise ValueError('the value is not of the type that it should be')\n```\n"
    assert (
        language(f"Das ist nicht richtig, wenn der Wert leer ist und die Liste auch:\n{fence * 5}")
        == "German"
    )
    indented = "    print('空白が二つあると、ダッシュも二つになってしまいます')\n"
    assert language(f"It is wrong for this and should not be:\n\n{indented}") is None
    assert language(f"Das ist\n\n{indented}\nund es ist nicht richtig, wenn der Wert leer ist") == "German"


def test_identifiers_don_t_hide_the_language() -> None:
    assert (
        language("SlugService.makeSlug 在 UserController 里返回了错误的结果,请修复它并添加测试") == "Chinese"
    )


@given(st.text())
def test_any_text_is_looked_at(text: str) -> None:
    language(text)
