-- Owns what wrk sends: requests put together from the lists of a plan, and a result as one line of JSON.
local plan
local sent = 0
local threads = {}
counts = {}
sample = ""

function setup(thread)
  table.insert(threads, thread)
end

function init(args)
  plan = dofile(args[1])
  if plan.count then response = answered end
end

function request()
  local head = plan.heads[sent % #plan.heads + 1]
  local tail = plan.tails[sent % #plan.tails + 1]
  sent = sent + 1
  if plan.key then return head .. plan.key .. sent .. tail end
  return head .. tail
end

-- Set only where statuses differ: wrk hands over the headers as a table, which costs.
function answered(status, _, body)
  local name = tostring(status)
  counts[name] = (counts[name] or 0) + 1
  if status >= 300 and sample == "" then sample = body end
end

function done(summary, latency)
  local counted = {}
  for _, thread in ipairs(threads) do
    for status, count in pairs(thread:get("counts")) do
      counted[#counted + 1] = string.format('"%s":%d', status, count)
    end
  end
  local errors = summary.errors
  io.stderr:write(string.format(
    '{"durationMs":%.3f,"requests":%d,"failed":%d,"p50Ms":%.3f,"p99Ms":%.3f,"maxMs":%.3f,'
      .. '"statuses":{%s}}\n',
    summary.duration / 1000, summary.requests,
    errors.connect + errors.read + errors.write + errors.timeout + errors.status,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000, latency.max / 1000,
    table.concat(counted, ",")
  ))
  local example = threads[1]:get("sample")
  if example ~= "" then io.stderr:write(example, "\n") end
end
