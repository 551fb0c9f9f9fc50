from __future__ import annotations

import pytest

from deploy.demo.clients.curl_trace import first_content_s

TRACE = """\
03:59:58.100000 == Info:   Trying 127.0.0.1:18444...
{sent} => Send SSL data, 5 bytes (0x5)
0000: .....
03:59:58.205000 => Send header, 140 bytes (0x8c)
0000: POST /v1/chat/completions HTTP/1.1
0024: Host: localhost:18444
03:59:58.206000 => Send data, 90 bytes (0x5a)
0000: {{"messages": [{{"role": "user", "content": "x"}}]}}
03:59:58.210000 <= Recv header, 17 bytes (0x11)
0000: HTTP/1.1 200 OK
03:59:58.220000 <= Recv data, 150 bytes (0x96)
0000: 91
0004: data: {{"choices":[{{"delta":{{"role":"assistant","content":null}}}}]}}
{content} <= Recv data, 300 bytes (0x12c)
0000: data: {{"choices":[{{"finish_reason":null,"index":0,"delta":{{"cont
0040: ent":"Bl"}}}}]}}
03:59:59.000000 <= Recv data, 300 bytes (0x12c)
0000: data: {{"choices":[{{"delta":{{"content":"ue"}}}}]}}
"""


@pytest.mark.parametrize(
    ("sent", "content", "seconds"),
    [
        ("03:59:58.200000", "03:59:58.330250", 0.13025),
        ("23:59:59.900000", "00:00:00.100000", 0.2),  # midnight
    ],
)
def test_time_runs_from_the_first_send_to_the_block_that_completes_content(sent, content, seconds):
    assert first_content_s(TRACE.format(sent=sent, content=content)) == pytest.approx(seconds)


def test_a_trace_without_content_is_refused():
    with pytest.raises(ValueError, match="no content"):
        first_content_s(TRACE.split("{content}", maxsplit=1)[0].format(sent="03:59:58.200000"))
