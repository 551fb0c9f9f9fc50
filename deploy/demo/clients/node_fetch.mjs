// Node's own fetch: URL MODEL COUNT MAX_TOKENS PROMPTS_JSON; trusts NODE_EXTRA_CA_CERTS.
import diagnostics_channel from "node:diagnostics_channel";

const [url, model, count, maxTokens, prompts] = process.argv.slice(2);
let sentAt = 0;
// Published when fetch hands the head to the socket: after DNS, connect and TLS, as the exporter counts.
diagnostics_channel.subscribe("undici:client:sendHeaders", () => { sentAt = performance.now(); });

async function ask(prompt) {
  const answer = await fetch(`${url}/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      model, messages: [{ role: "user", content: prompt }], max_tokens: Number(maxTokens), temperature: 0, seed: 1,
      stream: true, stream_options: { include_usage: true },
    }),
    signal: AbortSignal.timeout(60_000),
  });
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  let ttft = null, usage = null, rest = "";
  const decoder = new TextDecoder();
  for await (const bytes of answer.body) {
    const now = performance.now();
    const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
    rest = lines.pop();
    for (const line of lines.filter((l) => l.startsWith("data: {"))) {
      const event = JSON.parse(line.slice(6));
      if (ttft === null && event.choices[0]?.delta?.content) ttft = (now - sentAt) / 1000;
      usage = event.usage ?? usage;
    }
  }
  return { ttft_s: ttft, outcome: "ok", input_tokens: usage.prompt_tokens, output_tokens: usage.completion_tokens };
}

for (const prompt of JSON.parse(prompts).slice(0, Number(count))) console.log(JSON.stringify(await ask(prompt)));
