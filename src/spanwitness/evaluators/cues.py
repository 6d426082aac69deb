"""What people and agents say: phrase tables in English, and the few functions that read them.

Phrases are general English, written from how such statements are built (who, negation, verb), not collected from any
one set of conversations. Text in another language matches nothing, which means less evidence and never an error.
Every pattern repeats within fixed bounds, so that the time to search grows no faster than the text. A table is opened
only for a clause that holds one of its words, which most do not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from spanwitness.evaluators.speech import word_set

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spanwitness.evaluators.speech import Clause


@dataclass(frozen=True, slots=True)
class _Table:
    """A pattern, and the words of which a clause must hold one to be worth searching."""

    words: frozenset[str]
    pattern: re.Pattern[str]

    def search(self, clause: Clause) -> re.Match[str] | None:
        return None if self.words.isdisjoint(clause.words) else self.pattern.search(clause.text)

    def meets(self, clause: Clause) -> bool:
        return self.search(clause) is not None


def _table(words: str, pattern: str) -> _Table:
    return _Table(word_set(words), re.compile(pattern))


_MADE: Final = (
    "booked|reserved|confirmed|scheduled|rescheduled|made|placed|complete|completed|processed|canceled|cancelled|updated|"
    "changed|modified|added|sent|ordered|purchased|bought|transferred|issued|refunded|returned|exchanged|paid|submitted|"
    "registered|activated|reactivated|resolved|fixed|restored|saved|applied|created|upgraded|renewed|removed|rebooked|"
    "finalized|finalised|arranged|secured|requested|approved|rented|enabled|disabled|credited|fulfilled|done|started"
)
# After a bare "is", only words that can hardly describe a thing as it already was ("the shop is closed").
_IS: Final = (
    "booked|reserved|confirmed|scheduled|rescheduled|complete|completed|processed|canceled|cancelled|finalized|finalised|"
    "done|final|verified|a success|successful|resolved|fixed|restored|placed|approved|paid|ordered|purchased|all set|"
    "arranged|secured|made"
)
_ADVERBS: Final = r"(?:(?:now|also|just|already|all|both|fully|successfully|officially|finally|indeed) ){0,3}"
_DO: Final = (
    "book|make|reserve|schedule|confirm|get|secure|purchase|buy|add|cancel|complete|process|place|order|update|change|"
    "refund|fix|resolve|rent|arrange|send|transfer|modify|exchange|return|remove|apply|issue"
)
_SUCCESS: Final = _table(
    f"{_MADE} final verified success successful successfully set able through way playing",
    rf"\b(?:has|have|had|was|were|got) {_ADVERBS}(?:been )?{_ADVERBS}(?:{_MADE})\b"
    rf"|(?:\b(?:is|are|was|were)|'s|'re) {_ADVERBS}(?:being )?(?:{_IS})\b"
    rf"|\b(?:i|we)(?:'ve| have)? {_ADVERBS}(?:{_MADE})\b(?! that\b| your (?:identity|account|details)\b)"
    r"|\bsuccess(?:ful(?:ly)?)?\b"
    rf"|\bable to (?:successfully )?(?:{_DO})\b"
    r"|\b(?:went|gone|goes) through\b"
    r"|\bon (?:its|it's|the|his|her|their|your) way\b"
    r"|\b(?:now|is|started|starts|begins|begun) (?:now )?playing\b"
    rf"|^(?:\w+ ){{0,4}}(?:{_MADE})$"
    rf"|^(?:{_MADE}) ",
)
_NEGATED: Final = word_set("not never no unable yet")
# Announced, offered, asked back or made to depend on something: nothing has happened yet.
_NOT_YET: Final = re.compile(
    r"^(?:once|if|when|after|before|please|should|would|do|does|can|could|shall|may|will|did|what|how|which|kindly|let)\b"
    r"|\b(?:(?:please|kindly) \w+|you (?:want|would|need)|you'd|want me|would like|would you|shall i|should i"
    r"|to confirm|if|once|until|when|after|will be|'ll be|to be|can be|must be|should be|would be|needs?|going to)\b"
)

_CANNOT: Final = (
    r"(?:could not|unable to|fail(?:ed)? to|not (?:been |be )?able to|not manage to|impossible to"
    r"|(?:\bi|\bwe|\bstill|\balso|\bsorry) can not)"
)
# Not hearing, not knowing and not finding the customer's account are questions, not outcomes.
_MERELY: Final = (
    r"(?! (?:\w+ )?(?:tell|say|see|hear|understand|wait|agree|thank|stress|guarantee|promise|verify|authenticate"
    r"|(?:find|locate|access|pull up) (?:your|an?|the|any) (?:\w+ )?(?:account|profile|user|record|email))\b)"
)
_FAILURE: Final = _table(
    "not no unable fail failed impossible unsuccessful declined rejected denied sold fully unavailable nothing none "
    "error problem issue failure",
    rf"(?<!they )(?<!you )(?<!there ){_CANNOT}{_MERELY} \w"
    r"|\b(?:did|does|do|will|would|has|have|is|was) not (?:going to |seem to |quite )?"
    r"(?:go through|gone through|work(?:ed|ing)?|succeed|completed?|successful|possible|available|confirmed|booked)\b"
    r"|\b(?:it|this|that|which|time|request|booking|reservation|appointment|payment|transaction|order|also|attempt) "
    r"(?:has |have |was |is )?(?:also )?(?:failed|unsuccessful|declined|rejected|denied)\b"
    r"|\bunsuccessful\b"
    r"|\b(?:sold out|fully booked|unavailable|not available|nothing available|none available|no availability"
    r"|not possible|no longer available|no luck)\b"
    r"|\bno (?:\w+ ){0,3}available\b"
    r"|\b(?:an error|a problem|an issue|a failure) (?:while|when|with|in|occurred|booking|making|processing)\b",
)
_APOLOGY: Final = re.compile(r"\b(?:sorry|apolog\w{1,6}|unfortunately|regret|afraid)\b")

_ASKS: Final = _table(
    "confirm ensure i is go proceed",
    r"\b(?:confirm|ensure|go ahead|proceed)\b|\b(?:shall|should) i\b"
    r"|\bis (?:that|this|it|everything)(?: all)? (?:correct|right|ok|okay|fine)\b",
)
_YES: Final = re.compile(
    r"^(?:yes|yeah|yep|yup|yea|sure|ok|okay|correct|right|perfect|great|sounds|please|that's|that is|that works"
    r"|go ahead|exactly|absolutely|looks|it is|i confirm|confirmed|fine|good|alright|all right|works|do it)\b"
)
_SOON: Final = re.compile(r"\b(?:will|let me|going to|one moment|please|working on)\b|'ll\b")
_STILL_WRONG: Final = _table(
    "still not",
    r"\bstill (?:(?:is |does |do |can |will |have |has )?not|having|getting|seeing|no|broken|wrong|slow|stuck)\b"
    r"|\b(?:does|did) not (?:work|help)\b|\bnot (?:working|fixed|resolved|solved)\b",
)
_DISPUTE: Final = _table(
    "not still",
    r"^(?:no|nope|but|well) (?:\w+ ){0,4}(?:has|have|is|are|was|were|did|does|do) not(?: been\b.*)?$"
    r"|^(?:it|that|this) (?:has|is|was|did|does) not$|\bthat(?:'s| is) not (?:true|so)\b"
    r"|\bstill (?:active|open|there|pending|shows|showing|shown|being|charged|charging|billed)\b",
)
_CLAIM: Final = _table(
    _MADE,
    rf"\b(?:i|we)(?:'ve| have) {_ADVERBS}(?:booked|cancell?ed|updated|changed|modified|refunded|exchanged|processed"
    r"|purchased|upgraded|issued|removed|rescheduled|rebooked|credited|placed|submitted|activated|enabled|ordered)\b",
)

_PERSON: Final = (
    "human|live|real|person|representative|rep|supervisor|manager|specialist|agent|agents|operator|colleague|someone|team|"
    "department|staff|advisor|associate|expert"
)
_MOVED: Final = "transferred|connected|escalated|forwarded|handed|passed|put|redirected|routed|referred"
_MOVING: Final = "transferring|connecting|escalating|forwarding|handing|passing|putting|redirecting|routing|referring"
_MOVE: Final = "transfer|connect|escalate|forward|hand|pass|put|redirect|route|refer"
_ANNOUNCED: Final = _table(
    f"{_MOVED} {_MOVING} {_MOVE} human live",
    r"\b(?:being|been|now|get|getting|i have|we have|i've|we've) (?:now |just |already )?"
    rf"(?:{_MOVED})\b.{{0,60}}\b(?:{_PERSON})\b"
    rf"|(?:^|\b(?:am|are|now|i'm|we're|be) )(?:{_MOVING})\b.{{0,60}}\b(?:{_PERSON})\b"
    r"|\b(?:i'll|i will|i must|i need to|let me|we'll|we will|going to)(?: \w+){0,2} "
    rf"(?:{_MOVE})\b.{{0,60}}\b(?:{_PERSON})\b"
    r"|\byou are (?:now )?being transferred\b|\btransferring you\b"
    r"|\b(?:human|live) (?:agent|representative|operator|specialist) will (?:be|take|assist|join|help|contact|call)\b",
)
# Offered, advised or made to depend on the customer: not announced. The first kind in the words just before, since
# "who may be able to help" behind the announcement takes nothing back; the second anywhere.
_OFFERED: Final = word_set("would could can should may might recommend suggest need want wish say prefer not never")
_DEPENDS: Final = word_set("if unless whether case")
_JUST_BEFORE: Final = 2  # words
_MENTIONED: Final = _table(
    f"{_MOVED} {_MOVING} {_MOVE} speak talk",
    rf"\b(?:{_MOVE}|{_MOVING}|{_MOVED}|speak|talk)\b.{{0,60}}\b(?:{_PERSON})\b|\btransfer you\b",
)
_SOMEONE: Final = "human|humans|person|agent|representative|rep|supervisor|manager|operator|someone|somebody|specialist"
_REQUESTED: Final = _table(
    f"{_SOMEONE} transfer escalate",
    r"\b(?:speak|talk|chat|transfer|transferred|connect|connected|escalate|escalated|put me through) "
    rf".{{0,40}}\b(?:{_SOMEONE})\b"
    r"|\b(?:want|need|get me|give me|prefer|like|request) (?:to have )?(?:an? |the |your |some )?(?:\w+ )?"
    r"(?:human|(?:real|live|actual) person|live agent|representative|supervisor|manager|operator)\b"
    rf"|\b(?:{_SOMEONE})\b.{{0,25}}\b(?:speak|talk) (?:to|with)\b"
    r"|^(?:an? )?(?:\w+ )?(?:human|agent|representative|operator|supervisor|manager)(?: please)?$"
    r"|\btransfer me\b|\bescalate (?:me|this|it)\b",
)
_DECLINED: Final = word_set("not no never without rather")
_REFUSED: Final = _table(
    "not unable no",
    rf"(?:can not|unable to|not able to|not be able to|not possible to|no way to|could not) (?:\w+ ){{0,3}}"
    rf"(?:{_MOVE}) (?:you|your|this|to an?)\b"
    r"|\b(?:no|not any) (?:\w+ ){0,2}(?:agents?|representatives?|supervisors?|person|operators?)"
    r"(?: \w+){0,3} available\b",
)


def says_failure(clause: Clause) -> bool:
    """The agent says that something could not be done, as in "I was unable to renew it"."""
    return _FAILURE.meets(clause)


def says_success(clause: Clause) -> bool:
    """The agent says that something has been done, as in "your licence has been renewed"."""
    if clause.asked or not _SUCCESS.meets(clause) or not _NEGATED.isdisjoint(clause.words):
        return False
    return _NOT_YET.search(clause.text) is None


def claims_change(clause: Clause) -> bool:
    """The agent says that it has itself changed something. Passive voice is left out: it may tell what was found."""
    return not clause.asked and _CLAIM.meets(clause) and _NOT_YET.search(clause.text) is None


def apologises(clause: Clause) -> bool:
    return _APOLOGY.search(clause.text) is not None


def asks_to_confirm(clause: Clause) -> bool:
    """The agent asks for a go-ahead, as in "shall I book it?" or "please confirm"."""
    return _ASKS.meets(clause)


def affirms(said: Sequence[Clause]) -> bool:
    """The customer says yes, and asks nothing back."""
    return bool(said) and not any(clause.asked for clause in said) and _YES.search(said[0].text) is not None


def promises(clause: Clause) -> bool:
    """Something is about to be done, or the customer is asked for something."""
    return clause.asked or _SOON.search(clause.text) is not None


def says_still_wrong(clause: Clause) -> bool:
    """The customer says that the trouble persists, as in "it still does not work"."""
    return not clause.asked and "if" not in clause.words and _STILL_WRONG.meets(clause)


def disputes(clause: Clause) -> bool:
    """The customer says that what the agent told is not so, as in "no it has not" or "it is still active"."""
    return not clause.asked and (says_still_wrong(clause) or _DISPUTE.meets(clause))


def announces_handoff(clause: Clause) -> bool:
    """The agent says that it is handing over to a person, now; an offer to do so is not meant."""
    found = None if clause.asked else _ANNOUNCED.search(clause)
    if found is None or not _DEPENDS.isdisjoint(clause.words):
        return False
    before = clause.text[: found.start()].split()[-_JUST_BEFORE:]
    return _OFFERED.isdisjoint(before) and "not" not in found[0].split()


def offers_handoff(clause: Clause) -> bool:
    """The agent asks whether to hand over."""
    return clause.asked and _MENTIONED.meets(clause) and _NEGATED.isdisjoint(clause.words)


def refuses_handoff(clause: Clause) -> bool:
    return _REFUSED.meets(clause)


def asks_for_person(clause: Clause) -> bool:
    """The customer asks for a person, as in "let me speak to your manager"."""
    return _REQUESTED.meets(clause) and _DECLINED.isdisjoint(clause.words)


# A no that turns an offer down or takes back what was understood. "No, thank you", "no, that's all" and "no preference"
# answer a question, and say nothing of the agent.
_NO: Final = re.compile(r"^(?:(?:oh|um|uh|hm+|well|sorry|ok|okay) )?(?:no|nope|nah)\b")
_MERE_NO: Final = re.compile(
    r"^(?:(?:oh|um|uh|hm+|well|sorry|ok|okay) )?(?:no|nope|nah)"
    r"(?:$| (?:no|nope|thanks|thank you|nothing|bye|goodbye|(?:that|this)(?:'s| is|'ll| will| would| does|$)"
    r"|i(?:'m| am) (?:good|fine|all)|i do not(?: think so)?$|i think"
    r"|not (?:now|yet|today|right now|at (?:the|this) (?:moment|time))"
    r"|(?:\w+ )?(?:preferences?|idea|problem|worries|rush|hurry|doubt|matter)\b))"
)
_CLOSES: Final = _table(
    "all it everything about set nothing goodbye bye good have",
    r"\b(?:that|this|it)(?:'s| is|'ll be| will be| would be| was| should be) (?:all|it|everything)\b"
    r"|\bthat (?:covers|does|about)\b|\ball i (?:need|needed|wanted)\b|\ball set\b|\bnothing (?:else|more)\b"
    r"|\b(?:good)?bye\b|\bgood (?:bye|night)\b|\bhave a (?:\w+ )?(?:day|evening|night|one|weekend)\b",
)
_CORRECTS: Final = _table(
    "actually instead rather wait meant mean said asked wanted told already make changed change should has needs",
    r"\b(?:actually|instead|wait|rather)\b|\bi (?:have )?(?:meant|mean|said|asked|wanted|told|already)\b"
    r"|\bmake (?:it|that)\b|\bchanged? (?:my mind|it|that)\b|\b(?:should|has to|needs to) be\b",
)
_COMPLAINS: Final = _table(
    "wrong incorrect not mistake mistaken confused confusing misunderstood misunderstand misunderstanding again "
    "already sure ridiculous unacceptable terrible awful horrible useless frustrated frustrating frustration "
    "disappointed disappointing annoyed annoying upset angry complain complaint waste worst too why",
    r"\b(?:wrong|incorrect|mistaken?|confus(?:ed|ing)|misunderst\w{1,10}|again|ridiculous|unacceptable|terrible|awful"
    r"|horrible|useless|frustrat\w{1,4}|disappoint\w{1,4}|annoy\w{1,4}|upset|angry|complain\w{0,2}|waste|worst)\b"
    r"|\bnot (?:right|correct|true|what|good|working|acceptable|helpful|the (?:one|right))\b"
    r"|\b(?:does|do|did|will|would) not (?:help|work|appeal)\b|\bstill not\b"
    r"|\balready (?:told|said|gave|asked|tried)\b|\bare you sure\b"
    r"|\btoo (?:long|late|early|expensive|far|much)\b"
    r"|\bwhy (?:is|are|did|do|does|can|would|will|have|has) (?:not|it|you|this)\b"
    r"|\bnot (?:at all |very |really |so |too |quite )?(?:happy|satisfied|pleased|impressed|fair|funny)\b"
    r"|\bnot (?:sound|seem|look) (?:good|right|fair)\b|\bi did not (?:say|ask|want|order|mean)\b",
)
# Set by hand: the labelled conversations hold hardly any. Words that name a thing as well are told by their neighbours.
_INSULTS: Final = _table(
    "nothing stupid idiot idiots idiotic moron morons scam scammer scammers wtf bullshit fuck fucking fucked shit "
    "shitty crap pathetic joke rubbish garbage trash suck sucks hate liar liars lying lied lies sue",
    r"(?<!no )\bthanks? (?:you )?for nothing\b|\b(?:stupid|idiot(?:s|ic)?|morons?|scam(?:mers?)?|wtf|bullshit"
    r"|fuck(?:ing|ed)?|shit(?:ty)?|crap|pathetic|liars?)\b|\b(?:a|some) (?:\w+ )?joke\b"
    r"|\byou(?:'re| are)? (?:suck|lying|lied)\b"
    r"|\b(?:this|that|it|you|service)(?:'s| is|'re| are) (?:\w+ )?(?:rubbish|garbage|trash)\b"
    r"|^(?:this|it|that) sucks\b|\bi hate (?:you|this|that|your|it)\b|\b(?:'ll|will|going to) sue\b",
)
_OTHER: Final = _table(
    "other another else different more",
    r"\b(?:any|some|find|show|have|search|see|try|look for|suggest|want|need) (?:\w+ ){0,3}"
    r"(?:other|another|else|different)\b(?! (?:question|thing))"
    r"|\banother one\b|\bother (?:options?|ones?|times?|choices?|places?|suggestions?)\b"
    r"|\b(?:something|anything|what) else\b|\b(?:more options|any more)\b|\belse (?:is )?(?:available|there)\b",
)
_DECLINES: Final = _table(
    "not no never nevermind forget",
    r"\b(?:do|does|would|did|will) not (?:\w+ )?(?:need|want|like|care|interest|suit|wish)\b"
    r"|\bnot (?:\w+ )?(?:interested|necessary|needed|suitable|required)\b"
    r"|\bno (?:need|thanks?)\b|\bnever ?mind\b|\bforget (?:it|that|about)\b"
    r"|\bnot (?:now|yet|right now|today|at (?:the|this) (?:moment|time))\b",
)
_THANKS: Final = word_set("thanks thank thankyou thx appreciate appreciated grateful cheers")
_PRAISES: Final = word_set(
    "great perfect perfectly awesome excellent wonderful good nice cool fine amazing fantastic lovely love ideal "
    "brilliant superb sounds works helpful happy glad pleased wow"
)
_LACKS: Final = _table(
    "not no none nothing",
    r"\b(?:i|we|they|there|it|that|this) (?:\w+ )?(?:do|does|did|is|are|was|were|could|has|have|can) not\b"
    r"|\bthere(?:'s| is| are|'re) (?:no|not|none|nothing)\b|\b(?:has|have) no\b"
    r"|\bno (?:\w+ ){0,3}(?:match\w{0,5}|available|found|results?|such)\b"
    r"|\bnot (?:find|any|have|offer\w{0,3}|allow\w{0,2}|seeing|able)\b|\bnone\b"
    r"|\bnothing (?:\w+ ){0,2}(?:available|found|left|matching|like|for|in|at|on|there|else)\b|\bf[io]u?nd nothing\b",
)


def denies(clause: Clause) -> bool:
    """It begins with a no, of whatever kind."""
    return _NO.search(clause.text) is not None


def rejects(clause: Clause) -> bool:
    """A turn that begins so turns down what the agent offered or understood, as in "no, on Tuesday"."""
    return denies(clause) and _MERE_NO.search(clause.text) is None


def closes(clause: Clause) -> bool:
    """The customer has no further wish, as in "that's all", or says goodbye."""
    return _CLOSES.meets(clause)


def corrects(clause: Clause) -> bool:
    """The customer sets right what was said before, as in "I meant the blue one"."""
    return _CORRECTS.meets(clause)


def complains(clause: Clause) -> bool:
    """The customer finds fault, as in "that's not what I asked for" or "are you sure?"."""
    return _COMPLAINS.meets(clause)


def insults(clause: Clause) -> bool:
    """Anger or scorn, as in "this is a scam" or "thanks for nothing". Kind words beside it are not meant."""
    return _INSULTS.meets(clause)


def asks_for_other(clause: Clause) -> bool:
    """The customer wants something else than was offered, as in "do you have any other times?"."""
    return _OTHER.meets(clause)


def declines(clause: Clause) -> bool:
    """The customer does not want what was offered, as in "I do not need a bag"."""
    return _DECLINES.meets(clause)


def thanks(clause: Clause) -> bool:
    return not _THANKS.isdisjoint(clause.words)


def praises(clause: Clause) -> bool:
    """The customer finds it good. A "not" in the same clause takes that back."""
    return not _PRAISES.isdisjoint(clause.words) and "not" not in clause.words


def says_none(clause: Clause) -> bool:
    """The agent says that there is no such thing, or answers in the negative, as in "we do not have one"."""
    return not clause.asked and _LACKS.meets(clause)
