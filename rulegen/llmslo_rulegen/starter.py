"""The SLO file to begin with."""

TEXT = """\
# What this team promises. Four commands read this file:
#   llmslo-rulegen render slo.yaml --out out    rules, tests, Alertmanager routes and runbooks: commit them
#   llmslo-rulegen check slo.yaml --out out     what is wrong here, and whether out/ is what this file says
#   llmslo-rulegen test slo.yaml                runs the tests of the rules with promtool
#   llmslo-rulegen explain first-token          one promise's numbers in words
version: llmslo/v1
service: support-bot
labels: {team: assistants} # on every alert
scrape_interval: 1m # of the exporter, in your Prometheus
# runbook_url: https://example.org/runbooks/ # where out/runbooks is published: each alert links to its page
# dashboard_url: https://example.org/d/support-bot

slos:
  # `llmslo-rulegen slis` lists the SLIs there are.
  - name: availability
    description: Calls to the model that were answered well.
    sli: availability
    # Exact text, ~ and a regular expression, or a list for any of them. Left out: all of it.
    # select: {namespace: prod, model: "~gpt-4o.*", provider: [openai, azure.ai.openai]}
    objective: 99.5 # percent of the calls
    # window: 30d # or 1d to 1y, or the calendar's week, month or quarter

  - name: first-token
    description: The first token of an answer comes in time.
    sli: ttft
    threshold: 2s # the end of a histogram's bucket; `check` names the nearest ones
    objective: 95
    # group_by: [model] # one budget for each
    # alerting: {name: SlowFirstToken, page: {disable: true}}

  # An SLI of your own: {{window}} is where the rules put each range.
  # - name: checkout
  #   sli:
  #     bad: sum(rate(http_requests_total{code=~"5.."}[{{window}}]))
  #     total: sum(rate(http_requests_total[{{window}}]))
  #   objective: 99.9
"""
