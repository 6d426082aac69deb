"""How far texts support what was said: words, pairs and sentences, in several scripts, and where it cannot be told."""

from __future__ import annotations

import pytest

from spanwitness.evaluators.support import Support, texts_of, unparted

TERMS = "The notice period is three months. Customers who move house may leave after one month."


def supported(document: str, said: str) -> Support:
    texts = texts_of([document], [said])
    return texts.support(texts.claims(said))


def generic(said: str, asked: str = "") -> bool:
    return texts_of([TERMS], [said]).claims(said, asked).generic


def foreign(document: str, said: str) -> bool:
    texts = texts_of([document], [said])
    return texts.foreign(said, texts.support(texts.claims(said)))


def test_what_is_copied_is_supported_in_full() -> None:
    assert supported(TERMS, "The notice period is three months.") == (1.0, 1.0, 1.0)


def test_what_stands_nowhere_is_not_supported() -> None:
    assert supported(TERMS, "Refunds arrive within fourteen working days.") == (0.0, 0.0, 0.0)


def test_words_of_two_sentences_together_are_less_than_words_of_one() -> None:
    mixed = supported(TERMS, "The notice period for customers who move house is three months.")
    assert mixed.words == 1.0
    assert mixed.pairs < 1.0
    assert mixed.sentence == pytest.approx(4 / 7)


def test_endings_do_not_matter_and_numbers_do() -> None:
    assert supported("Cancelling a contract: see cancellation.", "Cancelled contracts.").words == 1.0
    assert supported("It costs 1234567 in all.", "It costs 1234568 in all.").words == 0.5


def test_a_word_that_stands_everywhere_counts_as_being_in_each_sentence() -> None:
    document = "The router blinks. " * 200 + "The modem hums."
    assert supported(document, "The router hums.").sentence == 1.0


@pytest.mark.parametrize(
    ("said", "asked"),
    [
        ("Hello! How can I help you today?", ""),
        ("Thank you, have a great day.", ""),
        ("Could you tell me your customer number?", ""),
        ("Let me check the contract terms for you.", ""),
        ("Please provide the contract number of your router.", ""),
        ("Sure, your router.", "It is about my router"),
        ("", ""),
    ],
)
def test_to_greet_ask_or_repeat_is_no_claim(said: str, asked: str) -> None:
    assert generic(said, asked)


def test_a_statement_beside_a_question_is_a_claim() -> None:
    assert not generic("Does that help? The notice period is four years.")
    assert not generic("Your router.\nReplaced monthly.", "another matter")


@pytest.mark.parametrize(
    ("said", "opinion"),
    [
        ("I really love that router.", True),
        ("My favourite router is the blue one.", True),
        ("I've never seen a better router.", True),
        ("The notice period is three months, I can tell you.", False),
        ("My colleague sent the router.", False),
        ("Customers like the blue router.", False),
    ],
)
def test_a_view_in_the_first_person_is_an_opinion(said: str, opinion: bool) -> None:
    assert texts_of([TERMS], [said]).claims(said).opinion is opinion


@pytest.mark.parametrize(
    ("document", "same", "other"),
    [
        (
            "Die Kündigungsfrist beträgt drei Monate zum Ende der Laufzeit. Beim Umzug gilt ein Monat.",
            "Beim Umzug gilt eine Frist von einem Monat.",
            "Die Erstattung kommt binnen vierzehn Tagen auf das Konto.",
        ),
        (
            "解約予告期間は契約満了の三か月前です。引っ越しの場合は一か月前の通知で解約できます。",
            "契約は満了の三か月前に解約できます。",
            "返金は十四営業日以内に口座へ振り込まれます。",
        ),
        (
            "合同的解约通知期为到期前三个月。搬家时提前一个月。",
            "合同到期前三个月解约。",
            "退款将在十四个工作日内到账。",
        ),
        (
            "해지 통보 기간은 계약 종료 3개월 전입니다. 이사하는 경우 1개월 전입니다.",
            "계약 종료 3개월 전에 해지 통보합니다.",
            "환불은 영업일 기준 14일 이내에 입금됩니다.",
        ),
        (
            "Срок расторжения договора составляет три месяца. При переезде достаточно одного месяца.",
            "Срок расторжения договора три месяца.",
            "Возврат денег поступит через четырнадцать дней.",
        ),
        (
            "रद्द करने की अवधि तीन महीने है। स्थानांतरण पर एक महीना।",
            "रद्द करने की अवधि तीन महीने है।",
            "धनवापसी चौदह दिनों में आएगी।",
        ),
    ],
)
def test_other_scripts_and_languages_are_compared(document: str, same: str, other: str) -> None:
    assert supported(document, same).words >= 0.5
    assert supported(document, other).words <= 0.35


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (TERMS, "Die Kündigungsfrist beträgt drei Monate zum Ende der Laufzeit."),
        ("Die Kündigungsfrist beträgt drei Monate zum Ende der Laufzeit und gilt für alle.", TERMS),
        (TERMS, "合同的解约通知期为到期前三个月。"),
        ("合同的解约通知期为到期前三个月。", "解約予告期間は契約満了の三か月前です。"),
        ("해지 통보 기간은 계약 종료 전입니다.", "合同的解约通知期为到期前三个月。"),
        (
            "Le délai est de trois mois avant la fin du contrat. En cas de déménagement, il est d'un mois si besoin.",
            "U kunt het contract opzeggen. Bij een verhuizing is dat een maand, als u op tijd bent met uw brief.",
        ),
    ],
)
def test_another_language_or_script_is_seen(document: str, said: str) -> None:
    assert foreign(document, said)


def test_what_is_merely_wrong_is_not_taken_for_another_language() -> None:
    assert not foreign(TERMS, "The refund for it arrives within fourteen working days at the bank.")
    assert not foreign(TERMS, "Wonderful!")
    german = "Die Kündigungsfrist beträgt drei Monate zum Ende der Laufzeit, und bei dem Umzug gilt sie nicht."
    assert not foreign(german, "Die Erstattung ist nur auf das Konto und nicht bar, bis zum Ende der Woche.")


def test_scripts_that_cannot_be_parted_are_named() -> None:
    assert unparted("ระยะเวลาแจ้งล่วงหน้าสามเดือน")
    assert not unparted(TERMS)
    assert not unparted("解約できます")


def test_typographic_apostrophes_are_the_same() -> None:
    assert supported("The agent\u2019s manual \u2013 edition two.", "The agent's manual, edition two.") == (
        1.0,
        1.0,
        1.0,
    )
