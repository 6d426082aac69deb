"""Reads model names: who provides it, which family, which snapshot; and how a served name relates to the requested one.

Names are compared by what they say: `gpt-4o-mini` begins with `gpt-4o` and is another model.
The tables are the knowledge. A name that they do not know is taken as it stands, in lower case.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

Relation = Literal["same", "alias", "different", "unknown"]

_LONGEST: Final = 256  # names come from the network: no real one is longer, and work and cache stay bounded
# Each provider as the conventions write it, then every other spelling met: deprecated values, libraries' values, hosts
# of the public APIs, prefixes of gateways, organisations on model hubs. Where the conventions have no value, one in
# their style. Google's own name with no more said is gcp.gen_ai, which they keep for "backend unknown".
_SPELLINGS: Final = """
    anthropic anthropic_text api.anthropic.com; cohere api.cohere.com cohere_chat cohereforai coherelabs
    aws.bedrock amazon amazon-bedrock amazon_bedrock aws aws-bedrock aws_bedrock bedrock bedrock_converse
    azure.ai.inference az.ai.inference azure-ai azure_ai; deepseek api.deepseek.com deepseek-ai; groq api.groq.com
    azure.ai.openai az.ai.openai azure azure-openai azure_openai azure_text azureopenai
    gcp.gemini gemini generativelanguage.googleapis.com google-gla google.generative-ai google_ai_studio
    gcp.gen_ai google google-genai google_genai; ibm.watsonx.ai ibm ibm-granite watsonx watsonx.ai watsonx_text
    gcp.vertex_ai google-vertex google.vertex google_vertexai vertex vertex.anthropic vertex_ai vertexai
    mistral_ai api.mistral.ai mistral mistralai; moonshot_ai api.moonshot.ai moonshot moonshotai
    openai api.openai.com text-completion-openai; perplexity api.perplexity.ai perplexity-ai
    ai21 ai21_chat ai21labs; alibaba dashscope qwen; cerebras; cloudflare @cf workers-ai; databricks; deepinfra
    fireworks_ai api.fireworks.ai fireworks fireworks-ai; huggingface hf; meta meta-llama meta_llama; microsoft
    minimax minimaxai; nvidia nvidia_nim; ollama ollama_chat; replicate; z_ai z-ai zai zai-org zhipuai
    together_ai api.together.xyz together together-ai togetherai; x_ai api.x.ai grok x-ai xai
"""
# They pass a call on, so they say nothing about who answers it.
_ROUTERS: Final = frozenset({"ai-gateway", "gateway", "litellm", "litellm_proxy", "openrouter", "portkey", "vercel"})
_AI_SDK_CALL: Final = re.compile(r"(.+)\.(?:chat|responses|messages|completion|embedding|image|speech)")

# Who alone provides the families that begin so; "-" for open weights, which anyone may serve. The first match counts.
_FIRST_WORDS: Final = r"""
    - gpt-oss|llama|codellama|gemma|qwen-?\d|qwq|phi-?\d|mixtral|mistral-7b|nemotron|deepseek-r1-(?:distill|\d)
    openai gpt-(?:\d|image|realtime|audio)|chatgpt-|o\d(?=-|$)|codex-mini|computer-use-preview|dall-e
    openai text-embedding-(?:3|ada)|text-davinci|davinci|babbage|whisper-1|tts-1|omni-moderation
    anthropic claude; cohere command|embed-|rerank-; deepseek deepseek; x_ai grok; perplexity sonar; ai21 jamba
    gcp.gen_ai gemini|imagen|veo-|text-bison|chat-bison|text-embedding|text-multilingual-embedding
    mistral_ai (?:open-)?(?:mistral|mixtral|codestral)|ministral|magistral|devstral|pixtral|voxtral
    moonshot_ai kimi|moonshot; alibaba qwen; aws.bedrock nova-|titan-; ibm.watsonx.ai granite; z_ai glm-
"""
# What a real family is made of after its first words. OpenAI's are listed in full: on Azure they are also what people
# make deployment names from (`gpt-4o-chat`, `gpt-4o-eu`), and such a name must not be mistaken for a family.
_OPENAI: Final = re.compile(
    r"gpt-3\.5-turbo(?:-16k|-instruct)?|gpt-4(?:-32k|-turbo|-turbo-preview|-vision-preview)?"
    r"|gpt-4o(?:-mini)?(?:-(?:audio|realtime|search)-preview|-transcribe|-transcribe-diarize|-tts)?|chatgpt-4o"
    r"|gpt-4\.1(?:-mini|-nano)?|gpt-4\.5-preview|gpt-[5-9](?:\.\d)?(?:-chat|-codex)?(?:-mini|-nano|-pro|-max)?"
    r"|gpt-oss(?:-safeguard)?-\d+b|gpt-(?:realtime|audio|image-\d)(?:-mini)?|text-embedding-(?:3-small|3-large|ada)"
    r"|o\d(?:-mini|-pro|-preview)?(?:-deep-research)?|codex-mini|computer-use-preview"
)
_VARIANT: Final = re.compile(
    r"v?\d+(?:\.\d+)?|[ae]?\d+(?:x\d+)?[bek]|[rkx]\d(?:\.\d)?|r7b|[ar]|plus|pro|premier|lite|micro|mini|nano|small|medium"
    r"|large|flash|fast|turbo|max|chat|instruct|it|vision|thinking|reasoning|non|reasoner|preview|exp|multimodal|distill"
    r"|llama|qwen|sonnet|opus|haiku|scout|maverick|nemo|code|coder|embed|english|multilingual|versatile|instant"
)


def _rows(table: str) -> list[list[str]]:
    return [row.split() for row in re.split(r"[;\n]", table.strip())]


_PROVIDER: Final = {word: row[0] for row in _rows(_SPELLINGS) for word in row}
_HEADS: Final = tuple((re.compile(pattern), provider.strip("-")) for provider, pattern in _rows(_FIRST_WORDS))
_BEDROCK: Final = re.compile(
    r"(?:[a-z]{2,6}(?:-gov)?\.)?(ai21|amazon|anthropic|cohere|deepseek|google|luma|meta|minimax|mistral|moonshot|moonshotai"
    r"|nvidia|openai|qwen|stability|twelvelabs|writer|zai)\.(.+)"
)
_PATHS: Final = (
    (r".*\barn:aws[a-z-]*:bedrock:[^/]*:(?:foundation-model|inference-profile)/(.+)", "aws.bedrock"),
    (r".*\barn:aws[a-z-]*:bedrock:[^/]*:([a-z-]+/.+)", "aws.bedrock"),
    (r"(?:projects/[^/]+/locations/[^/]+/)?publishers/[^/]+/models/(.+)", "gcp.vertex_ai"),
    (r"projects/[^/]+/locations/[^/]+/(endpoints/.+)", "gcp.vertex_ai"),
    (r"(?:accounts/[^/]+|fireworks)/models/([^#]+)(?:#.*)?", "fireworks_ai"),
    (r"models/((?:gemini|gemma|imagen|veo|text-embedding|embedding).+)", "gcp.gemini"),
)
# Names that a user gave to an arrangement of his own, or that stand for "whichever fits": no model is named.
_HANDLE: Final = re.compile(r"(?:.+-(?:profile|model|router|deployment)|endpoints|tunedmodels)/.+|auto|model-router")
_EDGES: Final = re.compile(r"^[\s/~]+|[\s/~]+$")
_DAY: Final = r"(?:0[1-9]|[12]\d|3[01])"
_MONTH: Final = r"(?:0[1-9]|1[0-2])"
_SHORT: Final = rf"(?:{_MONTH}{_DAY}|(?:2[3-9]|3\d){_MONTH})"  # 0613 is a day; 2411 a month
_PREVIEWED: Final = re.compile(rf"(.*\w)-({_SHORT})((?:-vision)?-preview)")  # gpt-4-0125-preview
_SNAPSHOT: Final = re.compile(
    rf"(.*?\w)-(20\d\d-{_MONTH}-{_DAY}|20\d\d{_MONTH}{_DAY}|{_MONTH}-20\d\d|{_MONTH}-{_DAY}|2\d{_MONTH}{_DAY}|{_SHORT}|0\d\d)"
)
_WEIGHTS: Final = re.compile(r"((?:mistral|mixtral|nova|titan|embed)-.*\w)-(v\d+(?:[.:]\d+)?)")
_REVISION: Final = re.compile(r"(.*\w)-(v?\d+:\d+|v\d+)(?::\w+)?")  # Bedrock's, and the context size of bought capacity
# How a call is routed or billed, not what answers it.
_ROUTE: Final = re.compile(r"(.*\w)(?::(?:free|nitro|floor|online|beta|exacto|thinking)|[-:]latest|-maas|\[1m\])")
_VERTEX_VERSION: Final = re.compile(r"(.+)@(\d[\d-]*|latest|default)")
_OLLAMA_SIZE: Final = re.compile(r":(?=e?\d)")
_MAKER_WORD: Final = re.compile(
    r"^(?:(?:meta|cohere|ai21|c4ai|databricks)-)+(?=llama|command|embed|rerank|jamba|claude|gpt|gemini|gemma)"
)
# Where vendors and hosts spell one family in several ways, each is rewritten to one.
_REWRITES: Final = (
    (r"(?<=\d)p(?=\d)", "."),  # Fireworks: llama-v3p1
    (r"^gpt-35(?=-)", "gpt-3.5"),  # Azure allows no dot
    (r"^gemini-(flash|pro)-(\d\.\d)", r"gemini-\2-\1"),  # OpenRouter: gemini-flash-1.5
    (r"^(llama|gemma|phi|qwen)-?v?(?=\d)", r"\1-"),  # llama3.1, llama-v3, qwen2.5
    (r"(?<![\d.])(\d{1,2})-(\d{1,2})(?=-|$)", r"\1.\2"),  # Bedrock: llama3-1; xAI: grok-4-1
    (r"^(claude-.+)-v\d+$", r"\1"),  # Vertex: claude-3-5-sonnet-v2@20241022
    # Anthropic's own order of words is claude-3-5-sonnet up to 3 and claude-sonnet-4-5 since; others write either.
    (r"^claude-(\d+(?:\.\d+)?)-(?!instant)([a-z]+)(?=-|$)", r"claude-\2-\1"),
    (r"^claude-(opus|sonnet|haiku)-(3(?:\.\d)?)(?=-|$)", r"claude-\2-\1"),
    (r"^(claude-[a-z]+-\d+)\.0(?=-|$)", r"\1"),
    (r"^(claude-(?:(?!instant)[a-z]+-\d+|3))\.(?=\d+(?:-|$))", r"\1-"),
)
# Names of one model. gpt-4-0125-preview, for one, is what gpt-4-turbo-preview is answered by.
_SYNONYMS: Final = """
    claude-v2 claude-2.0; claude-v2:1 claude-2.1; gpt-4-preview gpt-4-turbo-preview; grok-3-beta grok-3
    grok-3-mini-beta grok-3-mini; grok-4-fast grok-4-fast-reasoning; grok-4.1-fast grok-4.1-fast-reasoning
"""
_SAME: Final = {row[0]: row[1] for row in _rows(_SYNONYMS)}


@dataclass(frozen=True, slots=True)
class ModelName:
    """What a model name says.

    Attributes:
        raw: the name as given.
        provider: who answers under this name, as the conventions write it; '' where nothing tells.
        family: the model without provider prefixes and snapshot, lower case, in one spelling whatever vendor or host
            wrote it. A fine-tune is a family of its own. '' only for an empty name.
        snapshot: the dated or numbered release as written (2024-08-06, 20241022, 0613, 001, v1:0); '' when the name
            leaves it open. `latest` leaves it open.
    """

    raw: str
    provider: str
    family: str
    snapshot: str


def normalise_provider(value: str) -> str:
    """`value` as the conventions write it; unknown ones (hosts, agent libraries) only lower-cased and stripped."""
    word = value.strip().lower()
    if word.endswith(".openai.azure.com"):
        return "azure.ai.openai"
    call = _AI_SDK_CALL.fullmatch(word)
    return _PROVIDER.get(word) or _PROVIDER.get(call[1] if call else "", word)


def parse(name: str, provider: str = "") -> ModelName:
    """Reads `name`; never raises, whatever the text.

    `provider` is what the telemetry says of it and wins over the name's own prefixes where it tells one. Hosts, agent
    libraries and routers are met in its place; they do not tell who answers, and the name is asked instead. A prefix
    tells the host first (`groq/meta-llama/...` is groq's). Without one, a family that only its maker provides is given
    the maker, and open weights nobody.
    """
    told = _PROVIDER.get(normalise_provider(provider), "")
    return _parse(name, told) if len(name) <= _LONGEST else ModelName(name, told, name.strip().lower(), "")


def relation(requested: str, served: str, provider: str = "") -> Relation:
    """How the `served` name relates to the `requested` one.

    - `unknown`: one is '', or is no model's name but a handle: an Azure deployment, a Bedrock application profile, a
      router's `auto`. Users name these as they like, so nothing follows from the difference. An Azure deployment that
      bears a known family's name is held to it, since that is how deployments are named by default. Also when a pinned
      snapshot is answered by the family's bare name: it may be the pinned one, so it accuses nobody.
    - `same`: same family, same snapshot, in whatever spelling. Providers are not compared: gateways rewrite prefixes.
    - `alias`: the request leaves the snapshot open and the answer names one of the same family. This is what vendors
      document for short names, and no swap. A name without a version that ends in `latest` stands for every version.
    - `different`: the rest. Another snapshot of one family is another model, which is why people pin it; a longer name
      is another family (`gpt-4o-mini` is no `gpt-4o`).
    """
    asked, answered = parse(requested, provider), parse(served, provider)
    if not asked.family or not answered.family:
        return "unknown"
    if _is_handle(asked) or _is_handle(answered):
        return "same" if asked.raw == answered.raw else "unknown"
    if asked.family == answered.family:
        return _snapshot_relation(asked.snapshot, answered.snapshot)
    return "alias" if _stands_for(asked, answered) else "different"


@lru_cache(maxsize=8192)
def _parse(name: str, told: str) -> ModelName:
    text, hinted = _EDGES.sub("", name.lower()), ""
    while step := _prefix(text):
        text, hinted = _EDGES.sub("", step[0]), hinted or step[1]  # the first that tells is the host
    if _HANDLE.fullmatch(text):
        return ModelName(name, told or hinted, text, "")
    base, before, after = _without_tuning(text)
    family, snapshot = _split(base, bedrock=hinted == "aws.bedrock")
    return ModelName(name, told or hinted or _head(family)[1], f"{before}{family}{after}", snapshot)


def _prefix(text: str) -> tuple[str, str] | None:
    """`text` without its first prefix and the provider that this one tells; None when there is none."""
    for pattern, provider in _PATHS:
        if path := re.fullmatch(pattern, text):
            return path[1], provider
    if dotted := _BEDROCK.fullmatch(text):
        maker, rest = dotted.groups()
        return (f"deepseek-{rest}" if maker == "deepseek" else rest), "aws.bedrock"
    if (pinned := _VERTEX_VERSION.fullmatch(text)) and "/" not in text:
        return f"{pinned[1]}-{pinned[2]}".removesuffix("-default"), "gcp.vertex_ai"
    return _word(text, "/") or _word(text, ":")


def _word(text: str, separator: str) -> tuple[str, str] | None:
    word, _, rest = text.partition(separator)
    tagged = separator == ":" and word in {"mistral", "qwen"} and not _head(rest)[0]  # Ollama's `mistral:7b`
    if not rest or tagged or not (word in _PROVIDER or word in _ROUTERS):
        return None
    provider = _PROVIDER.get(word, "")
    if provider == "aws.bedrock" or provider.startswith("azure."):
        rest = rest.rpartition("/")[2] or rest  # LiteLLM: azure/eu/gpt-4o, bedrock/us-east-1/...
    return rest, provider


def _without_tuning(text: str) -> tuple[str, str, str]:
    """The tuned model's base, and what stands before and after it in a fine-tune's name (OpenAI's and Azure's form)."""
    if text.startswith("ft:"):
        base, colon, owner = text.removeprefix("ft:").partition(":")
        return base, "ft:", colon + owner
    base, mark, tune = text.partition(".ft-")
    return base, "", mark + tune


def _split(text: str, *, bedrock: bool) -> tuple[str, str]:
    text, snapshot, revision = _SAME.get(text, text), "", ""
    if (packaged := _REVISION.fullmatch(text)) and (bedrock or ":" in packaged[2]):
        text, revision = packaged.groups()
    while step := _ending(text):
        text, found = step
        snapshot = snapshot or found
    family = _respell(text)
    # Bedrock numbers its packaging of models that have a snapshot of their own; Claude always has, by date or by name.
    return family, snapshot or ("" if family.startswith("claude") else revision)


def _ending(text: str) -> tuple[str, str] | None:
    """`text` without its last ending and the snapshot that this one names; None when there is none."""
    if routed := _ROUTE.fullmatch(text):
        return routed[1], ""
    if size := _OLLAMA_SIZE.search(text):
        return f"{text[: size.start()]}-{text[size.end() :]}", ""
    if inside := _PREVIEWED.fullmatch(text):
        return inside[1] + inside[3], inside[2]
    if dated := _SNAPSHOT.fullmatch(text) or _WEIGHTS.fullmatch(text):
        return dated[1], dated[2]
    return None


def _respell(family: str) -> str:
    family = _MAKER_WORD.sub("", family)
    if _head(family)[0]:
        for pattern, replacement in _REWRITES:
            family = re.sub(pattern, replacement, family)
    return _SAME.get(family, family)


def _head(family: str) -> tuple[str, str]:
    """The known first words of `family` and their only provider; ('', '') when it is not known."""
    for pattern, provider in _HEADS:
        if match := pattern.match(family):
            return match[0], provider
    return "", ""


def _is_handle(name: ModelName) -> bool:
    """Whether a user, or a router, chose the name: it says nothing about the model."""
    deployed = name.provider.startswith("azure.") and not _is_known(_without_tuning(name.family)[0])
    return deployed or _HANDLE.fullmatch(name.family) is not None


def _is_known(family: str) -> bool:
    head, provider = _head(family)
    if provider == "openai" or head == "gpt-oss":
        return _OPENAI.fullmatch(family) is not None
    words = family.removeprefix(head).strip("-").split("-")
    return bool(head) and all(not word or _VARIANT.fullmatch(word) for word in words)


def _snapshot_relation(asked: str, answered: str) -> Relation:
    # One spelling for one snapshot: 2024-08-06 and 20240806, v0:2 and v0.2, v1:0 and v1.
    one, other = (re.sub(r"-|^v|\.0$", "", text.replace(":", ".")) for text in (asked, answered))
    if one == other or (re.fullmatch(r"20\d{6}", other) and one == other[4:]):
        return "same"  # deployments on Azure are named gpt-4o-0806
    if one and other:
        return "different"
    return "unknown" if one else "alias"


def _stands_for(asked: ModelName, answered: ModelName) -> bool:
    """Whether `asked` is a maker's name for its newest version, as `gemini-flash-latest`."""
    words = (word for word in answered.family.split("-") if not re.fullmatch(r"[\d.]+|preview|exp", word))
    return asked.raw.lower().endswith("latest") and asked.family == "-".join(words)
