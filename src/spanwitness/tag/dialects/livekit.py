"""LiveKit agents' own spans (livekit-agents 1.8.9).

| what | where |
|---|---|
| conversation | the room's sid: room_id on every span, lk.room_sid, gen_ai.conversation.id |
| requested model | gen_ai.request.model of `llm_request`; on `user_turn` it is the STT model, on `tts_*` the TTS model |
| served model | never: gen_ai.response.model repeats the request |
| provider | the base URL's host |
| tool | `function_tool` |
| hides | the served model and the fingerprint: a silent swap leaves no trace |
| gets wrong | status stays Unset when a tool fails: lk.function_tool.is_error tells; the model's name is also on llm_node, llm_request_run, start_agent_activity: counted on llm_request alone |
| ends | `session_close` |
"""

from spanwitness.tag.dialect import SPAN_NAME, Dialect, From, Kind, keys

DIALECT = Dialect(
    name="livekit",
    scopes=("livekit-agents",),
    kinds=(
        Kind(
            From(SPAN_NAME),
            {
                "llm_request": "llm",
                "function_tool": "tool",
                # One span an utterance: tts_request and tts_stream_adapter below tts_node repeat it by sentence.
                "user_turn": "speech",
                "tts_node": "speech",
                "*": "",
            },
        ),
    ),
    conversation=keys("lk.room_sid", "room_id", "gen_ai.conversation.id", "session.id", "langfuse.session.id"),
    provider=keys("gen_ai.provider.name"),
    requested=keys("gen_ai.request.model"),
    served=(),
    agent=keys("gen_ai.agent.name", "lk.agent_label"),
    tool=keys("gen_ai.tool.name", "lk.function_tool.name"),
    input_tokens=keys("gen_ai.usage.input_tokens"),
    output_tokens=keys("gen_ai.usage.output_tokens"),
    finish_reason=keys("gen_ai.response.finish_reasons"),
    error=keys("lk.function_tool.is_error"),
    actors=(Kind(From(SPAN_NAME), {"user_turn": "customer"}),),
    end=(Kind(From(SPAN_NAME), {"session_close": "end"}),),
)
